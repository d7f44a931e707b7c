package org.modeltracer.cli.export;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** A file that is written bit by bit, and gets its name when it is whole. */
public final class StreamedFile implements AutoCloseable {
  private final Path file;
  private final Path target;
  private final Path part;

  /**
   * Begins a file.
   *
   * @throws org.modeltracer.cli.terminal.CliException when it cannot be made
   */
  public StreamedFile(Path file) {
    this.file = file;
    target = OutputFile.replaceable(file);
    try {
      part = OutputFile.part(target);
    } catch (IOException e) {
      throw OutputFile.failed(file, e);
    }
  }

  /** Where to write; to be closed before {@link #publish}. */
  public OutputStream stream() {
    try {
      return Files.newOutputStream(part);
    } catch (IOException e) {
      throw OutputFile.failed(file, e);
    }
  }

  /** Gives what was written its name. */
  public void publish() {
    try {
      OutputFile.publish(part, target);
    } catch (IOException e) {
      throw OutputFile.failed(file, e);
    }
  }

  /** Removes what was never whole. */
  @Override
  public void close() {
    try {
      Files.deleteIfExists(part);
    } catch (IOException e) {
      throw OutputFile.failed(file, e);
    }
  }
}
