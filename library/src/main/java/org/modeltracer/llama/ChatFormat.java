package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.modeltracer.llama.ffi.LlamaFunctions;

/**
 * A chat as a text for a model, written by llama.cpp.
 *
 * <p>libllama does not run templates: it recognises a few dozen families by what their templates
 * contain, and writes the form that is built in for the family. That form has no default system
 * message and does not begin with BOS, whatever the file's template says.
 */
public final class ChatFormat {
  private static final int POINTERS = 2;

  private final LlamaRuntime runtime;
  private final String template;

  /**
   * One message.
   *
   * @param role such as {@code system} or {@code user}
   * @param content its text
   */
  public record Message(String role, String content) {}

  /** The form of a template. */
  public ChatFormat(LlamaRuntime runtime, String template) {
    this.runtime = runtime;
    this.template = template;
  }

  /**
   * The text of a chat, up to where the answer begins; empty where llama.cpp has no form for it.
   */
  public Optional<String> prompt(List<Message> chat) {
    return runtime.call(() -> written(chat));
  }

  private Optional<String> written(List<Message> chat) {
    LlamaFunctions llama = runtime.functions();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment messages =
          arena.allocate(ValueLayout.ADDRESS, (long) POINTERS * Math.max(1, chat.size()));
      int room = 256;
      for (int i = 0; i < chat.size(); i++) {
        Message message = chat.get(i);
        MemorySegment content = arena.allocateFrom(message.content());
        messages.setAtIndex(ValueLayout.ADDRESS, 2L * i, arena.allocateFrom(message.role()));
        messages.setAtIndex(ValueLayout.ADDRESS, 2L * i + 1, content);
        room += 256 + (int) content.byteSize();
      }
      while (true) {
        MemorySegment target = arena.allocate(room);
        int n = llama.applyTemplate(template, messages, chat.size(), true, target);
        if (n < 0) {
          return Optional.empty();
        }
        if (n <= room) {
          byte[] bytes = target.asSlice(0, n).toArray(ValueLayout.JAVA_BYTE);
          return Optional.of(new String(bytes, StandardCharsets.UTF_8));
        }
        room = n;
      }
    }
  }
}
