package org.modeltracer.llama;

/**
 * Something that a caller can set and that an error may name, in the words of this library.
 *
 * <p>A program in front of it knows these by other names, such as options of its command line.
 *
 * @see LlamaException#message
 */
public enum Setting {
  /** {@link ContextOptions#withContextTokens}. */
  CONTEXT("context"),
  /** The first of {@link ContextOptions#withBatch}. */
  BATCH("batch"),
  /** The second of {@link ContextOptions#withBatch}. */
  MICRO_BATCH("micro-batch"),
  /** {@link ContextOptions#withFlashAttention}. */
  NO_FLASH_ATTENTION("no flash attention"),
  /** {@link ContextOptions#withCacheTypes}. */
  F16_CACHE("an F16 cache"),
  /** The file or folder that {@link LlamaRuntime#load} takes. */
  LIBRARY("LlamaRuntime.load(path)"),
  /** Devices of {@link ModelOptions.Placement}. */
  DEVICES("devices"),
  /** Servers of {@link ModelOptions.Placement}. */
  RPC_SERVERS("RPC servers"),
  /** A prompt of token ids rather than of text. */
  TOKEN_IDS("token ids");

  private final String words;

  Setting(String words) {
    this.words = words;
  }

  /** What it is. */
  public String words() {
    return words;
  }
}
