package org.modeltracer.llama;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.modeltracer.llama.ffi.LlamaFunctions;
import org.modeltracer.model.CutText;
import org.modeltracer.process.Trail;

/** The tokens of a model, and llama.cpp's own tokenizer for them. */
public final class Vocabulary {
  private static final int NONE = 0;

  private final LlamaRuntime runtime;
  private final LlamaFunctions llama;
  private final int size;
  private final int type;
  private volatile long address;

  Vocabulary(LlamaRuntime runtime, long address) {
    this.runtime = runtime;
    this.address = address;
    llama = runtime.functions();
    size = llama.vocabularySize(address);
    type = llama.vocabularyType(address);
  }

  /** Number of tokens. */
  public int size() {
    return size;
  }

  /** Whether text can be turned into tokens and back; models without a vocabulary exist. */
  public boolean usable() {
    return type != NONE;
  }

  /** Token that begins a text, -1 when there is none. */
  public int bos() {
    return usable() ? llama.bos(address()) : -1;
  }

  /** Token that ends a text, -1 when there is none. */
  public int eos() {
    return usable() ? llama.eos(address()) : -1;
  }

  /** Whether the tokenizer puts {@link #bos} before a text. */
  public boolean addsBos() {
    return usable() && llama.addsBos(address());
  }

  /** Whether a token ends generation. */
  public boolean endsGeneration(int token) {
    return usable() && llama.endsGeneration(address(), check(token));
  }

  /** Whether a token steers the model and has no text of its own. */
  public boolean isControl(int token) {
    return usable() && llama.isControl(address(), check(token));
  }

  /**
   * Tokens of a text, as llama.cpp makes them.
   *
   * @param addSpecial whether to add what the model wants around a text, such as BOS
   * @param parseSpecial whether special tokens written out in the text become tokens
   * @throws LlamaException when the model has no usable vocabulary or the text cannot be tokenized
   */
  public int[] tokenize(String content, boolean addSpecial, boolean parseSpecial) {
    if (!usable()) {
      throw LlamaException.naming(
          LlamaException.Kind.ARGUMENT,
          "this model has no vocabulary to tokenize text with; give {}",
          Setting.TOKEN_IDS);
    }
    byte[] bytes = content.getBytes(StandardCharsets.UTF_8);
    return runtime.call(
        () -> {
          Trail.own().step("tokenizing with");
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment input = arena.allocateFrom(ValueLayout.JAVA_BYTE, padded(bytes));
            int room = bytes.length + 8;
            while (true) {
              MemorySegment ids = arena.allocate(ValueLayout.JAVA_INT, room);
              int n =
                  llama.tokenize(
                      address(), input, bytes.length, ids, room, addSpecial, parseSpecial);
              if (n >= 0) {
                return ids.asSlice(0, 4L * n).toArray(ValueLayout.JAVA_INT);
              }
              if (-n <= room) {
                throw new LlamaException(
                    LlamaException.Kind.ARGUMENT, "llama.cpp cannot tokenize this text");
              }
              room = -n;
            }
          }
        });
  }

  private static byte[] padded(byte[] bytes) {
    return Arrays.copyOf(bytes, bytes.length + 1);
  }

  /**
   * Bytes a token stands for, to be shown; often not whole UTF-8 characters. Those of a token that
   * is longer than any text is shown, cut as {@link CutText} has it.
   *
   * @param special whether control tokens are written out rather than left empty
   */
  public byte[] piece(int token, boolean special) {
    byte[] piece = bytes(token, special);
    if (piece.length <= CutText.LONGEST) {
      return piece;
    }
    var cut = new CutText();
    cut.add(piece, 0, piece.length);
    return cut.toString().getBytes(StandardCharsets.UTF_8);
  }

  private byte[] bytes(int token, boolean special) {
    check(token);
    if (!usable()) {
      return ("<" + token + ">").getBytes(StandardCharsets.UTF_8);
    }
    return runtime.call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            int room = 64;
            while (true) {
              MemorySegment target = arena.allocate(room);
              int n = llama.piece(address(), token, target, room, special);
              if (n >= 0) {
                return target.asSlice(0, n).toArray(ValueLayout.JAVA_BYTE);
              }
              room = -n;
            }
          }
        });
  }

  /** Text of a token for people to read: control tokens written out, broken UTF-8 replaced. */
  public String text(int token) {
    return new String(piece(token, true), StandardCharsets.UTF_8);
  }

  /** The vocabulary's own entry for a token, such as {@code Ġthe}. */
  public String entry(int token) {
    check(token);
    if (!usable()) {
      return "<" + token + ">";
    }
    return llama.entry(address(), token);
  }

  /** Text of a run of tokens. */
  public String detokenize(int[] tokens, boolean special) {
    var bytes = new ByteArrayOutputStream();
    for (int token : tokens) {
      bytes.writeBytes(bytes(token, special));
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  private long address() {
    if (address == 0) {
      throw new IllegalStateException("this model is closed");
    }
    return address;
  }

  void close() {
    address = 0;
  }

  private int check(int token) {
    if (token < 0 || token >= size) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT,
          "token " + token + " is outside the vocabulary of " + size + " tokens");
    }
    return token;
  }
}
