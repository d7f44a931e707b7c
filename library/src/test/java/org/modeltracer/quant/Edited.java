package org.modeltracer.quant;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.function.Predicate;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;

/** A copy of an F32 model whose weights are changed. */
final class Edited {
  private final GgufFile file;
  private final ByteBuffer bytes;

  Edited(Path base) {
    file = GgufFile.read(base);
    try {
      bytes = ByteBuffer.wrap(Files.readAllBytes(base)).order(ByteOrder.LITTLE_ENDIAN);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Multiplies each value of some matrices by 1 ± share; the same seed gives the same numbers. */
  Edited perturb(Predicate<String> names, double share) {
    for (TensorInfo tensor : file.tensors()) {
      if (names.test(tensor.name()) && tensor.shape().size() > 1) {
        var random = new Random(tensor.name().hashCode());
        for (int i = 0; i < tensor.elements(); i++) {
          int at = at(tensor, i);
          bytes.putFloat(at, (float) (bytes.getFloat(at) * (1 + share * random.nextGaussian())));
        }
      }
    }
    return this;
  }

  /** Multiplies a row of a matrix, that is one dimension of what it makes. */
  Edited scaleRow(String name, int row, float factor) {
    TensorInfo tensor = file.tensor(name).orElseThrow();
    for (int i = 0; i < tensor.dimension(0); i++) {
      int at = at(tensor, row * tensor.dimension(0) + i);
      bytes.putFloat(at, bytes.getFloat(at) * factor);
    }
    return this;
  }

  private static int at(TensorInfo tensor, long element) {
    if (tensor.type() != GgmlType.F32) {
      throw new IllegalArgumentException(tensor + " is not F32");
    }
    return Math.toIntExact(tensor.offset() + 4 * element);
  }

  /** Replaces the first occurrence of some bytes by as many others. */
  Edited replace(byte[] old, byte[] other) {
    for (int at = 0; ; at++) {
      if (bytes.slice(at, old.length).equals(ByteBuffer.wrap(old))) {
        bytes.put(at, other);
        return this;
      }
    }
  }

  @SuppressWarnings("ByteBufferBackingArray") // the whole of it was wrapped
  Path write(Path target) {
    try {
      return Files.write(target, bytes.array());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
