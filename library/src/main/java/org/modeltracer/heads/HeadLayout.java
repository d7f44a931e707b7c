package org.modeltracer.heads;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.Metadata;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.model.ModelShape;

/** How many heads each layer of a model file has, and which tensors are theirs. */
final class HeadLayout {
  private static final List<String> BLOCKS = List.of("blk.", "dec.blk.", "enc.blk.");

  private final GgufFile file;
  private final int layers;
  private final boolean decoderApart;
  private final int[] heads;
  private final int[] kvHeads;

  HeadLayout(GgufFile file) {
    this.file = file;
    Metadata metadata = file.metadata();
    String arch = file.architecture().orElse("");
    decoderApart = file.tensors().stream().anyMatch(t -> t.name().startsWith("dec.blk."));
    long all = metadata.integer(arch + ".block_count").orElse(0);
    layers =
        (int) (decoderApart ? metadata.integer(arch + ".decoder_block_count").orElse(all) : all);
    heads = perLayer(metadata, arch + ".attention.head_count", new int[layers]);
    kvHeads = perLayer(metadata, arch + ".attention.head_count_kv", heads);
  }

  /** A number that is the same in all layers, or one per layer. */
  private int[] perLayer(Metadata metadata, String key, int[] otherwise) {
    var each = metadata.integers(key);
    if (each.isPresent()) {
      long[] values = Arrays.copyOf(each.get(), layers);
      return Arrays.stream(values).mapToInt(v -> (int) v).toArray();
    }
    var all = metadata.integer(key);
    return all.isPresent()
        ? IntStream.generate(() -> (int) all.getAsLong()).limit(layers).toArray()
        : otherwise;
  }

  int layers() {
    return layers;
  }

  /** Query heads of a layer, 0 where it has no attention. */
  int heads(int layer) {
    return layer < layers ? heads[layer] : 0;
  }

  /** Key/value heads of a layer. */
  int kvHeads(int layer) {
    return layer < layers ? kvHeads[layer] : 0;
  }

  /** Key/value head that a query head reads; neighbours share one. */
  int kvHead(int layer, int head) {
    return head / Math.max(1, heads(layer) / Math.max(1, kvHeads(layer)));
  }

  /** Whether keys and values come from one latent vector, as in DeepSeek-V2. */
  boolean latent(int layer) {
    return tensor(layer, "attn_kv_a_mqa").isPresent();
  }

  /** A weight of a layer by its role, such as {@code attn_q}. */
  Optional<TensorInfo> tensor(int layer, String role) {
    return BLOCKS.stream()
        .flatMap(block -> file.tensor(block + layer + "." + role + ".weight").stream())
        .findFirst();
  }

  /** The output matrix of a layer's attention: {@code [width, head, value width]}. */
  Optional<TensorInfo> output(int layer) {
    return tensor(layer, "attn_output").or(() -> tensor(layer, "attn_o"));
  }

  /** The sizes that analyses need. */
  ModelShape shape(int modelLayers, int vocabulary) {
    Metadata metadata = file.metadata();
    String arch = file.architecture().orElse("");
    return new ModelShape(
        arch,
        decoderApart ? layers : Math.max(layers, modelLayers),
        Arrays.stream(heads).max().orElse(0),
        Arrays.stream(kvHeads).max().orElse(0),
        (int) metadata.integer(arch + ".embedding_length").orElse(0),
        vocabulary,
        (int) file.trainedContext().orElse(0));
  }
}
