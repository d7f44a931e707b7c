package org.modeltracer.gate;

import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.weights.Hashes;

/**
 * Hashes of a file that the gate has judged, as far as there was time.
 *
 * @param files hash of each file of the model, by name; null when there was no time, or no file
 *     that can be read
 * @param tensors hash of each tensor; null likewise
 * @param late whether time ran out
 */
public record FileHashes(
    @Nullable Map<String, String> files, @Nullable Map<String, String> tensors, boolean late) {
  /** Where nobody asks for them. */
  public static final FileHashes NONE = new FileHashes(null, null, false);

  /** What can be computed until the deadline. */
  public static FileHashes of(Path file, Deadline deadline) {
    if (!Files.isRegularFile(file)) {
      return NONE;
    }
    Map<String, String> files = compute(() -> files(file), deadline);
    Map<String, String> tensors = compute(() -> Hashes.tensors(GgufFile.read(file)), deadline);
    return new FileHashes(files, tensors, deadline.passed());
  }

  private static Map<String, String> files(Path file) {
    GgufFile model;
    try {
      model = GgufFile.read(file);
    } catch (GgufException unsound) {
      return Map.of(file.getFileName().toString(), Hashes.file(file));
    }
    return Hashes.files(model);
  }

  /** Null when it cannot be computed, or not in time. */
  private static @Nullable Map<String, String> compute(
      Callable<Map<String, String>> work, Deadline deadline) {
    try {
      return deadline.await("hashes", work);
    } catch (TimeoutException late) {
      return null;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return null;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof GgufException || e.getCause() instanceof UncheckedIOException) {
        // The checks have said so.
        return null;
      }
      throw new IllegalStateException(e.getCause());
    }
  }
}
