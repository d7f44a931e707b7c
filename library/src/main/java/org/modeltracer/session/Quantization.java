package org.modeltracer.session;

import java.util.LinkedHashMap;
import java.util.Map;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;

/** In which number format a file keeps its weights. */
public final class Quantization {
  private Quantization() {}

  /** The type that most bytes of the file have, by name, such as {@code q4_K}. */
  public static String of(GgufFile file) {
    var bytes = new LinkedHashMap<GgmlType, Long>();
    for (TensorInfo tensor : file.tensors()) {
      bytes.merge(tensor.type(), tensor.bytes(), Long::sum);
    }
    return bytes.entrySet().stream()
        .max(Map.Entry.comparingByValue())
        .map(e -> e.getKey().ggmlName())
        .orElse("none");
  }
}
