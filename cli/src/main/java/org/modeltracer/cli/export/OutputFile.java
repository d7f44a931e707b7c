package org.modeltracer.cli.export;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;

/** A file of results, whole or not there at all. */
public final class OutputFile {
  private OutputFile() {}

  /** Makes sure that a folder named by {@code --out} is there; returns it. */
  public static Path folder(Path folder) {
    try {
      return Files.createDirectories(folder);
    } catch (IOException e) {
      throw new CliException(
          ExitCode.USAGE,
          "--out: cannot create the folder " + folder + " (" + e.getMessage() + ")");
    }
  }

  /** Writes beside the file and moves it there, so that no reader sees half of it. */
  public static void write(Path file, String content) {
    try {
      Path part = file.resolveSibling(file.getFileName() + ".part");
      // Not writeString, which fails on half a surrogate pair, as a name in a file may hold.
      Files.write(part, content.getBytes(StandardCharsets.UTF_8));
      Files.move(part, file, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
