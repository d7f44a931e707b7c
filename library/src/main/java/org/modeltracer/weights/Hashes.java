package org.modeltracer.weights;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;

/** SHA-256 of files and of the tensors in them, streamed. */
public final class Hashes {
  private static final int CHUNK = 1 << 20;

  private Hashes() {}

  /**
   * Hash of a whole file, in hexadecimal.
   *
   * @throws UncheckedIOException when it cannot be read
   */
  public static String file(Path file) {
    try (var channel = FileChannel.open(file, StandardOpenOption.READ)) {
      return part(channel, 0, channel.size());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Hash of each tensor's bytes as they lie in the file, padding left out, in file order.
   *
   * @throws UncheckedIOException when it cannot be read
   */
  public static Map<String, String> tensors(GgufFile file) {
    Map<String, String> hashes = new LinkedHashMap<>();
    try (var channel = FileChannel.open(file.path(), StandardOpenOption.READ)) {
      for (TensorInfo tensor : file.tensors()) {
        hashes.put(tensor.name(), part(channel, tensor.offset(), tensor.bytes()));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return hashes;
  }

  /** A fresh digest. */
  public static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  private static String part(FileChannel channel, long from, long length) throws IOException {
    MessageDigest digest = sha256();
    ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(CHUNK, Math.max(1, length)));
    for (long at = from; at < from + length; ) {
      buffer.clear().limit((int) Math.min(buffer.capacity(), from + length - at));
      int n = channel.read(buffer, at);
      if (n < 0) {
        throw new IOException("the file became shorter while it was read");
      }
      digest.update(buffer.flip());
      at += n;
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
