package org.modeltracer.attach;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.gguf.GgufFile;

/** The model files of a process: those that it has mapped, else those that it was started with. */
public final class MappedModels {
  private static final int MOST = 16;
  private static final byte[] MAGIC = {'G', 'G', 'U', 'F'};

  private MappedModels() {}

  /** Model files of a process, in the order of their names; none when it cannot be looked into. */
  public static List<GgufFile> of(int pid) {
    Set<Path> files = new LinkedHashSet<>();
    Path process = Path.of("/proc/" + Integer.toUnsignedString(pid));
    for (String line : lines(process.resolve("maps"), '\n')) {
      int at = line.indexOf('/');
      if (at >= 0 && files.size() < MOST) {
        add(files, line.substring(at));
      }
    }
    if (files.isEmpty()) {
      lines(process.resolve("cmdline"), '\0').forEach(word -> add(files, word));
    }
    var models = new ArrayList<GgufFile>();
    for (Path file : files) {
      read(file).ifPresent(models::add);
    }
    return models;
  }

  private static List<String> lines(Path file, char end) {
    try {
      return List.of(
          Files.readString(file, StandardCharsets.ISO_8859_1).split(String.valueOf(end)));
    } catch (IOException e) {
      return List.of();
    }
  }

  private static void add(Set<Path> files, String name) {
    String utf8 = new String(name.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
    if (!utf8.startsWith("/dev/") && utf8.indexOf('\0') < 0 && isModel(Path.of(utf8))) {
      files.add(Path.of(utf8).toAbsolutePath());
    }
  }

  private static boolean isModel(Path file) {
    if (!Files.isRegularFile(file)) {
      return false;
    }
    try (var in = Files.newInputStream(file)) {
      return Arrays.equals(in.readNBytes(MAGIC.length), MAGIC);
    } catch (IOException e) {
      return false;
    }
  }

  private static Optional<GgufFile> read(Path file) {
    try {
      return Optional.of(GgufFile.read(file));
    } catch (GgufException e) {
      return Optional.empty();
    }
  }
}
