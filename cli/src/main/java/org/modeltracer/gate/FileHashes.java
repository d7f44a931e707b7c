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
    GgufFile model = compute(() -> GgufFile.read(file), deadline);
    Map<String, String> files =
        compute(
            () ->
                model == null
                    ? Map.of(file.getFileName().toString(), Hashes.file(file))
                    : Hashes.files(model),
            deadline);
    Map<String, String> tensors =
        model == null ? null : compute(() -> Hashes.tensors(model), deadline);
    return new FileHashes(files, tensors, deadline.passed());
  }

  /** Null when it cannot be computed, or not in time. */
  private static <T> @Nullable T compute(Callable<T> work, Deadline deadline) {
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
