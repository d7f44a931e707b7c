package org.modeltracer.gguf;

import java.util.BitSet;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Heads: llama.cpp divides by them.
 *
 * <p>Zero heads are right for layers without attention (recurrent, convolutional), so the tensors
 * decide which layers need any.
 */
final class AttentionChecks {
  private static final String HEADS = "attention.head_count";
  private static final String KV_HEADS = "attention.head_count_kv";

  /** Their cells are as wide as {@code attention.key_length} says; llama.cpp asserts on it. */
  private static final Set<String> LATENT =
      Set.of("deepseek2", "deepseek32", "glm-dsa", "mistral4");

  private static final Pattern QUERY =
      Pattern.compile("(?:enc\\.)?blk\\.(\\d{1,3})\\.attn_(?:q|qkv|q_a)\\.weight");

  private final LoadChecks checks;
  private final BitSet attending = new BitSet();
  private final long blocks;

  private AttentionChecks(LoadChecks checks) {
    this.checks = checks;
    this.blocks = checks.integer("block_count").orElse(0);
    for (TensorInfo tensor : checks.file().tensors()) {
      var matcher = QUERY.matcher(tensor.name());
      if (matcher.matches()) {
        attending.set(Integer.parseInt(matcher.group(1)));
      }
    }
  }

  static void run(LoadChecks checks) {
    var attention = new AttentionChecks(checks);
    if (!attention.attending.isEmpty()
        && attention.shape(HEADS, true)
        && attention.shape(KV_HEADS, false)
        && attention.counts()) {
      attention.width();
      attention.latent();
    }
  }

  /** Whether a count is a number, or an array of one number a layer. */
  private boolean shape(String name, boolean required) {
    String key = checks.key(name);
    var value = checks.metadata().get(key);
    if (value.isEmpty() && !required) {
      return true;
    }
    boolean number = value.isPresent() && value.get() instanceof Value.Int;
    boolean numbers =
        value.isPresent()
            && value.get() instanceof ArrayValue array
            && array.elementType().isInteger()
            && array.size() >= blocks;
    if (!number && !numbers) {
      checks.report(key, "must be a number of heads, or one for each of the %d layers", blocks);
    }
    return number || numbers;
  }

  private boolean counts() {
    for (int layer = attending.nextSetBit(0); layer >= 0 && layer < blocks; ) {
      long heads = at(HEADS, layer).orElse(0);
      long kvHeads = at(KV_HEADS, layer).orElse(heads);
      if (heads <= 0 && !isSparse(HEADS)) {
        checks.report(checks.key(HEADS), "must be over 0, layer %d attends", layer);
        return false;
      }
      if (kvHeads < 0 || (kvHeads == 0 && heads > 0 && !isSparse(KV_HEADS))) {
        checks.report(checks.key(KV_HEADS), "must be over 0, layer %d attends", layer);
        return false;
      }
      if (kvHeads == 0 && heads > 0 && hasKeys(layer, heads)) {
        return false;
      }
      if (kvHeads > 0 && heads % kvHeads != 0) {
        checks.report(
            checks.key(KV_HEADS), "does not divide the %d heads of layer %d", heads, layer);
        return false;
      }
      layer = attending.nextSetBit(layer + 1);
    }
    return true;
  }

  /** No key/value heads are right for a layer without keys; llama.cpp asserts on one with them. */
  private boolean hasKeys(int layer, long heads) {
    String name = "blk." + layer + ".attn_k.weight";
    Optional<TensorInfo> keys = checks.file().tensor(name);
    if (keys.isEmpty()) {
      return false;
    }
    long head =
        checks
            .integer("attention.key_length")
            .orElse(checks.integer("embedding_length").orElse(0) / heads);
    checks.say(
        checks.key(KV_HEADS),
        "%s of layer %d is 0, but %s makes %d values of %d: convert the model again",
        checks.key(KV_HEADS),
        layer,
        name,
        keys.get().dimension(1),
        head);
    return true;
  }

  /** A head's width is the model's width over the heads, unless the file gives it. */
  private void width() {
    OptionalLong width = checks.integer("embedding_length");
    OptionalLong heads = checks.integer(HEADS);
    if (width.isPresent()
        && heads.isPresent()
        && checks.integer("attention.key_length").isEmpty()
        && width.getAsLong() % heads.getAsLong() != 0) {
      checks.report(
          checks.key("embedding_length"),
          "is no multiple of the %d heads, and attention.key_length is not given",
          heads.getAsLong());
    }
  }

  /** Cells of a latent attention hold the latent vector, behind it what is turned by positions. */
  private void latent() {
    long latent = checks.integer("attention.kv_lora_rank").orElse(0);
    if (checks.integer("attention.key_length_mla").orElse(0) > 0
        && LATENT.contains(checks.architecture())) {
      equal("attention.key_length", latent + checks.integer("rope.dimension_count").orElse(0));
      equal("attention.value_length", latent);
    }
  }

  private void equal(String name, long needed) {
    if (checks.integer(name).orElse(0) != needed) {
      checks.report(checks.key(name), "must be %d, by attention.kv_lora_rank", needed);
    }
  }

  /** Whether the count is given layer by layer, so that some layers may have none. */
  private boolean isSparse(String name) {
    return checks.metadata().array(checks.key(name)).isPresent();
  }

  private OptionalLong at(String name, int layer) {
    var array = checks.metadata().array(checks.key(name));
    return array.isPresent() ? OptionalLong.of(array.get().integer(layer)) : checks.integer(name);
  }
}
