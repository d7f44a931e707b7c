package org.modeltracer.cli.export;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;

/** The files of one export: all of them appear, or none and no new folder either. */
public final class ExportFolder implements AutoCloseable {
  private final Path folder;
  private final List<Path> made = new ArrayList<>();
  private final List<NpyFile> files = new ArrayList<>();
  private boolean published;

  /**
   * Makes the folder where it is missing.
   *
   * @param bytes room that the files will take, which the disk must have
   */
  public ExportFolder(Path folder, long bytes) {
    this.folder = folder;
    Path existing = folder.toAbsolutePath();
    while (existing != null && Files.notExists(existing)) {
      made.add(existing);
      existing = existing.getParent();
    }
    long free = room(existing);
    if (free < bytes) {
      throw new CliException(
          ExitCode.USAGE,
          "the files take %,d bytes, %s has room for %,d; export less with --what, --trace-layers"
                  .formatted(bytes, folder, free)
              + " or --trace-heads");
    }
    OutputFile.folder(folder);
  }

  private static long room(@Nullable Path folder) {
    try {
      return folder == null ? 0 : Files.getFileStore(folder).getUsableSpace();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Starts a file. */
  NpyFile create(String name, NpyFile.Type type, List<Long> shape) {
    var file = new NpyFile(folder.resolve(name), type, shape);
    files.add(file);
    return file;
  }

  /** Gives all files their names. */
  public void publish() {
    try {
      for (NpyFile file : files) {
        file.complete();
      }
      for (NpyFile file : files) {
        file.publish();
      }
      published = true;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Removes everything, unless it was published. */
  @Override
  public void close() {
    if (published) {
      return;
    }
    try {
      for (NpyFile file : files) {
        file.close();
      }
      for (Path own : made) {
        Files.deleteIfExists(own);
      }
    } catch (DirectoryNotEmptyException someoneElses) {
      // Another program has put something there meanwhile.
      made.clear();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
