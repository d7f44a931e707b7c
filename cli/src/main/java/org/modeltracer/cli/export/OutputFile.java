package org.modeltracer.cli.export;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.util.Objects;
import java.util.regex.Pattern;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;

/**
 * Where results go: whatever the path names stays what it is.
 *
 * <p>A regular file is replaced in one move, whole or not at all; a symbolic link is followed to
 * what it names. A pipe, a device and an open descriptor ({@code /dev/fd/3}, {@code /dev/stdout})
 * are written to, and never replaced.
 */
public final class OutputFile {
  private static final Pattern DESCRIPTOR = Pattern.compile("/(dev|proc/[^/]+)/fd/(\\d+)");
  private static final int MOST_LINKS = 40;

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

  /**
   * Refuses before the work, and without a trace of it, what cannot be written after it.
   *
   * @param option what named it, for the message
   */
  public static void check(String option, Path file) {
    if (Files.isDirectory(file)) {
      throw new CliException(ExitCode.USAGE, option + ": " + file + " is a folder, not a file");
    }
  }

  /** Checks a file, and makes its folder. */
  public static void prepare(String option, Path file) {
    check(option, file);
    Path parent = file.getParent();
    if (parent != null) {
      try {
        Files.createDirectories(parent);
      } catch (IOException e) {
        throw new CliException(
            ExitCode.USAGE,
            option + ": cannot create the folder " + parent + " (" + reason(e) + ")");
      }
    }
  }

  /** Writes a text, as UTF-8. */
  public static void write(Path file, String content) {
    // Not writeString, which fails on half a surrogate pair, as a name in a file may hold.
    byte[] bytes = content.getBytes(StandardCharsets.UTF_8);
    try {
      Path target = followed(file);
      var descriptor = DESCRIPTOR.matcher(target.toString());
      if (descriptor.matches()) {
        writeTo(target, Integer.parseInt(descriptor.group(2)), bytes);
      } else if (Files.exists(target) && !Files.isRegularFile(target)) {
        Files.write(target, bytes, StandardOpenOption.WRITE);
      } else {
        replace(target, bytes);
      }
    } catch (IOException e) {
      throw failed(file, e);
    }
  }

  /** Appends a text to a file, which is made where it is missing. */
  public static void append(Path file, String content) {
    try {
      Files.write(
          file,
          content.getBytes(StandardCharsets.UTF_8),
          StandardOpenOption.CREATE,
          StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw failed(file, e);
    }
  }

  /**
   * The file that a move may replace: the one behind symbolic links.
   *
   * @throws CliException when there is something else than a regular file
   */
  static Path replaceable(Path file) {
    try {
      Path target = followed(file);
      if (Files.exists(target) && !Files.isRegularFile(target)) {
        throw new CliException(ExitCode.USAGE, file + " is not a regular file");
      }
      return target;
    } catch (IOException e) {
      throw failed(file, e);
    }
  }

  /** Starts the file that will be moved to a target, past whatever has its name by now. */
  static Path part(Path target) throws IOException {
    Path part = target.resolveSibling(target.getFileName() + ".part");
    Files.deleteIfExists(part);
    return Files.createFile(part);
  }

  /** Gives a complete part the name, and the permissions, of the file it replaces. */
  static void publish(Path part, Path target) throws IOException {
    var view = Files.getFileAttributeView(target, PosixFileAttributeView.class);
    if (view != null && Files.exists(target)) {
      Files.setPosixFilePermissions(part, view.readAttributes().permissions());
    }
    Files.move(part, target, StandardCopyOption.REPLACE_EXISTING);
  }

  /** What could not be written, and why. */
  static CliException failed(Path file, IOException e) {
    return new CliException(ExitCode.FAILURE, "cannot write " + file + ": " + reason(e));
  }

  private static String reason(IOException e) {
    if (e instanceof FileSystemException system) {
      String kind = e.getClass().getSimpleName().replaceFirst("Exception$", "");
      return Objects.requireNonNullElse(
          system.getReason(), kind.replaceAll("(?<=[a-z])(?=[A-Z])", " "));
    }
    return String.valueOf(e.getMessage());
  }

  private static void replace(Path target, byte[] bytes) throws IOException {
    Path part = part(target);
    try {
      Files.write(part, bytes);
      publish(part, target);
    } finally {
      Files.deleteIfExists(part);
    }
  }

  /** Opened anew, a descriptor of a regular file would begin at its start, over what is there. */
  private static void writeTo(Path path, int descriptor, byte[] bytes) throws IOException {
    if (descriptor == 1 || descriptor == 2) {
      @SuppressWarnings("resource") // The process's own, which others still write to.
      var own = new FileOutputStream(descriptor == 1 ? FileDescriptor.out : FileDescriptor.err);
      own.write(bytes);
      return;
    }
    try (OutputStream out =
        Files.isRegularFile(path)
            ? Files.newOutputStream(path, StandardOpenOption.APPEND)
            : Files.newOutputStream(path, StandardOpenOption.WRITE)) {
      out.write(bytes);
    }
  }

  /** Follows links as far as an open descriptor, behind which there may be no name. */
  private static Path followed(Path file) throws IOException {
    Path at = file;
    for (int links = 0; Files.isSymbolicLink(at); links++) {
      if (links == MOST_LINKS) {
        throw new FileSystemException(file.toString(), null, "too many symbolic links");
      }
      if (DESCRIPTOR.matcher(at.toAbsolutePath().normalize().toString()).matches()) {
        return at.toAbsolutePath().normalize();
      }
      at = at.resolveSibling(Files.readSymbolicLink(at));
    }
    return Files.exists(at, LinkOption.NOFOLLOW_LINKS) ? at.toRealPath() : at;
  }
}
