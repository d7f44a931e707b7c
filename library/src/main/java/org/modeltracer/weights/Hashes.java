package org.modeltracer.weights;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.Shard;
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
   * Hash of each file that a model lies in, by name and in order.
   *
   * @throws UncheckedIOException when one cannot be read
   */
  public static Map<String, String> files(GgufFile model) {
    Map<String, String> hashes = new LinkedHashMap<>();
    model.shards().forEach(shard -> hashes.put(shard.name(), file(shard.path())));
    return hashes;
  }

  /**
   * One hash of a model: its file's; of a split model, that of its shards' hashes as {@code
   * sha256sum} prints them.
   *
   * @param files hash of each file by name, as {@link #files} has them
   */
  public static String model(Map<String, String> files) {
    if (files.size() == 1) {
      return files.values().iterator().next();
    }
    MessageDigest digest = sha256();
    files.forEach(
        (name, hash) ->
            digest.update((hash + "  " + name + "\n").getBytes(StandardCharsets.UTF_8)));
    return HexFormat.of().formatHex(digest.digest());
  }

  /**
   * Hash of each tensor's bytes as they lie in the file, padding left out, in file order.
   *
   * @throws UncheckedIOException when it cannot be read
   */
  public static Map<String, String> tensors(GgufFile file) {
    Map<String, String> hashes = new LinkedHashMap<>();
    for (Shard shard : file.shards()) {
      try (var channel = FileChannel.open(shard.path(), StandardOpenOption.READ)) {
        for (TensorInfo tensor : file.tensors()) {
          if (tensor.file().equals(shard.path())) {
            hashes.put(tensor.name(), part(channel, tensor.offset(), tensor.bytes()));
          }
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
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
