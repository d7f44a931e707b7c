package org.modeltracer.cli.export;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * An archive of NumPy arrays on its way to disk, as {@code numpy.savez_compressed} makes them.
 *
 * <p>One array after the other moves into it, so that neither memory nor disk holds all twice. The
 * same arrays give the same bytes.
 */
final class NpzFile implements AutoCloseable {
  /** Where the clock of zip files begins. */
  private static final LocalDateTime EPOCH = LocalDateTime.of(1980, 1, 1, 0, 0);

  private final Path file;
  private final Path part;
  private final ZipOutputStream zip;

  NpzFile(Path named) throws IOException {
    file = OutputFile.replaceable(named);
    part = OutputFile.part(file);
    zip = new ZipOutputStream(Files.newOutputStream(part), StandardCharsets.UTF_8);
    // Half of attention is zeros, and the rest of all this hardly shrinks.
    zip.setLevel(Deflater.BEST_SPEED);
  }

  /** Moves a completed array into the archive. */
  void add(String name, NpyFile array) throws IOException {
    begin(name);
    array.drain(zip);
    zip.closeEntry();
  }

  /** Adds a text; NumPy gives its bytes. */
  void add(String name, String text) throws IOException {
    begin(name);
    zip.write(text.getBytes(StandardCharsets.UTF_8));
    zip.closeEntry();
  }

  private void begin(String name) throws IOException {
    var entry = new ZipEntry(name);
    entry.setTimeLocal(EPOCH);
    zip.putNextEntry(entry);
  }

  /** Gives the archive its name. */
  void publish() throws IOException {
    zip.close();
    OutputFile.publish(part, file);
  }

  /** Removes what was not published. */
  @Override
  public void close() throws IOException {
    zip.close();
    Files.deleteIfExists(part);
  }
}
