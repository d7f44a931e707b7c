package org.modeltracer.gate;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.modeltracer.gguf.GgufFile;

/**
 * A tiny model with a chat template and control tokens of any type, which take the places of the
 * last tokens of its vocabulary.
 */
public final class ChatModel {
  public static final int NORMAL = 1;
  public static final int CONTROL = 3;
  public static final int USER_DEFINED = 4;

  /** ChatML, as published. */
  public static final String CHATML =
      "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' +"
          + " '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%"
          + " endif %}";

  private static final Path MODEL = Path.of("models", "tinyllama-gqa-f16.gguf");
  private static final String PREFIX = "tokenizer.ggml.";

  private final Gguf gguf = new Gguf(MODEL);
  private final Map<String, Integer> tokens = new LinkedHashMap<>();

  /** A sound model that chats in ChatML and stops at the end of a turn. */
  public static ChatModel sound() {
    var model = new ChatModel().token("<|im_start|>", CONTROL).token("<|im_end|>", CONTROL);
    model.gguf.u32(PREFIX + "eos_token_id", model.id("<|im_end|>"));
    return model.template(CHATML);
  }

  public ChatModel template(String text) {
    gguf.text("tokenizer.chat_template", text);
    return this;
  }

  /** Adds a token, or changes its type. */
  public ChatModel token(String text, int type) {
    tokens.put(text, type);
    return this;
  }

  /** Sets a number or a flag of the tokenizer, such as {@code eos_token_id}. */
  public ChatModel number(String key, long value) {
    gguf.u32(PREFIX + key, value);
    return this;
  }

  public ChatModel addBos(boolean adds) {
    gguf.bool(PREFIX + "add_bos_token", adds);
    return this;
  }

  /** Id of an added token. */
  public int id(String token) {
    return gguf.texts(PREFIX + "tokens").size() - 1 - List.copyOf(tokens.keySet()).indexOf(token);
  }

  public Path write(Path target) {
    var texts = new ArrayList<>(gguf.texts(PREFIX + "tokens"));
    int[] types = new int[texts.size()];
    Arrays.fill(types, NORMAL);
    types[0] = CONTROL;
    types[1] = CONTROL;
    var merges =
        new ArrayList<>(GgufFile.read(MODEL).metadata().strings(PREFIX + "merges").orElseThrow());
    tokens.forEach(
        (text, type) -> {
          String replaced = texts.set(id(text), text);
          types[id(text)] = type;
          merges.removeIf(merge -> merge.replace(" ", "").equals(replaced));
        });
    return gguf.texts(PREFIX + "tokens", texts)
        .ints(PREFIX + "token_type", types)
        .texts(PREFIX + "merges", merges)
        .write(target);
  }
}
