package org.modeltracer.cli.export;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;

/** The files of one export: all of them appear, or none and no new folder either. */
public final class ExportFolder implements AutoCloseable {
  /** How arrays are kept. */
  public enum Format {
    /** A file each. */
    NPY,
    /** All in one archive, as {@code numpy.savez_compressed} makes it. */
    NPZ;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** The archive of all arrays. */
  public static final String ARCHIVE = "export.npz";

  private final Path folder;
  private final Format format;
  private final List<Path> made = new ArrayList<>();
  private final Map<String, NpyFile> files = new LinkedHashMap<>();
  private final Map<String, String> texts = new LinkedHashMap<>();
  private boolean published;

  /**
   * Makes the folder where it is missing.
   *
   * @param bytes room that the arrays will take, which the disk must have
   */
  public ExportFolder(Path folder, Format format, long bytes) {
    this.folder = folder;
    this.format = format;
    Path existing = missing(folder);
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

  /** Notes which folders of a path are missing; returns the first that is not. */
  private @Nullable Path missing(Path path) {
    Path existing = path.toAbsolutePath();
    var lacking = new ArrayList<Path>();
    while (existing != null && Files.notExists(existing)) {
      lacking.add(existing);
      existing = existing.getParent();
    }
    made.addAll(0, lacking);
    return existing;
  }

  private static long room(@Nullable Path folder) {
    try {
      return folder == null ? 0 : Files.getFileStore(folder).getUsableSpace();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Starts the file of an array. */
  NpyFile create(ExportPlan.Entry entry) {
    String name = entry.file();
    // What goes into the archive has no folders of its own.
    Path path = folder.resolve(format == Format.NPZ ? name.replace('/', '.') : name);
    Path parent = path.getParent();
    if (parent != null && !parent.equals(folder)) {
      missing(parent);
      OutputFile.folder(parent);
    }
    var file = new NpyFile(path, entry.type(), entry.shape(), entry.rowDimensions());
    files.put(name, file);
    return file;
  }

  /** Adds a file of text, such as a table. */
  public void text(String name, String content) {
    texts.put(name, content);
  }

  /**
   * Ends the arrays that were started; others may follow.
   *
   * @throws IllegalStateException when rows are missing
   */
  public void complete() {
    try {
      for (NpyFile file : files.values()) {
        file.complete();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Gives all files their names, in place of what an earlier run left in the folder. */
  public void publish() {
    try {
      OutputFolder.claim(folder);
      if (format == Format.NPZ) {
        archive();
      } else {
        for (NpyFile file : files.values()) {
          file.publish();
        }
      }
      texts.forEach((name, text) -> OutputFile.write(folder.resolve(name), text));
      published = true;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void archive() throws IOException {
    try (var archive = new NpzFile(folder.resolve(ARCHIVE))) {
      for (Map.Entry<String, NpyFile> file : files.entrySet()) {
        archive.add(file.getKey(), file.getValue());
      }
      for (Map.Entry<String, String> text : texts.entrySet()) {
        archive.add(text.getKey(), text.getValue());
      }
      archive.publish();
    }
  }

  /** Removes everything, unless it was published. */
  @Override
  public void close() {
    if (published) {
      return;
    }
    try {
      for (NpyFile file : files.values()) {
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
