package org.modeltracer.llama;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Locale;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Finds the llama.cpp to load.
 *
 * <p>In this order: the path a caller names, the path in {@code MODELTRACER_LLAMA_LIB}, the v0.5.0
 * that comes with this program for this platform, the b4916 that comes with it for every other. A
 * path is a library file or a folder that holds one.
 */
final class LibraryLocator {
  /** Environment variable that names a library file or folder. */
  static final String VARIABLE = "MODELTRACER_LLAMA_LIB";

  private static final Pattern LLAMA =
      Pattern.compile("(lib)?j?llama(\\.[a-z]+)?(\\.[bv]?[0-9.]+)?\\.(so|dylib|dll)(\\.[0-9.]+)?");

  /** A release in a file's name, as prebuilt libraries of several origins have it. */
  private static final Pattern RELEASE = Pattern.compile("\\.([bv][0-9.]+[0-9])\\.");

  private LibraryLocator() {}

  /**
   * A library that was found.
   *
   * @param file the library
   * @param origin where it comes from, in words
   * @param note what a user should know about the choice, or null
   */
  record Located(Path file, String origin, @Nullable String note) {}

  static Located locate(@Nullable Path named) {
    return locate(named, System.getenv(VARIABLE), folders(System.getProperty("modeltracer.home")));
  }

  /**
   * The library for a named path, a value of the variable, and wherever embedded ones may be.
   *
   * @param embedded the folder of a release for a platform, if there is one
   */
  static Located locate(
      @Nullable Path named,
      @Nullable String variable,
      BiFunction<String, String, Optional<Path>> embedded) {
    if (named != null) {
      return new Located(resolve(named), "named by the caller", null);
    }
    if (variable != null && !variable.isBlank()) {
      return new Located(resolve(Path.of(variable)), "named by " + VARIABLE, null);
    }
    String platform = platform();
    Optional<Path> prebuilt = embedded.apply("v0.5.0", platform).flatMap(LibraryLocator::inFolder);
    if (prebuilt.isPresent()) {
      return new Located(prebuilt.get(), "embedded v0.5.0", null);
    }
    Optional<Path> older = embedded.apply("b4916", platform).flatMap(LibraryLocator::inFolder);
    if (older.isPresent()) {
      return new Located(
          older.get(),
          "embedded b4916",
          "no prebuilt llama.cpp v0.5.0 for " + platform + "; using llama.cpp b4916");
    }
    throw LlamaException.naming(
        LlamaException.Kind.LIBRARY,
        ("no llama.cpp for %s: add org.modeltracer:modeltracer-natives with the classifier %s or"
                + " b4916 to the class path, or name a library with {} or %s")
            .formatted(platform, platform, VARIABLE),
        Setting.LIBRARY);
  }

  /** The library a path means: itself, or the one inside a folder. */
  static Path resolve(Path path) {
    if (Files.isRegularFile(path)) {
      return real(path);
    }
    if (Files.isDirectory(path)) {
      return inFolder(path)
          .or(() -> inFolder(path.resolve("bin")))
          .or(() -> inFolder(path.resolve("lib")))
          .orElseThrow(
              () ->
                  new LlamaException(
                      LlamaException.Kind.LIBRARY,
                      "no llama library (libllama.so, libllama.dylib, llama.dll) in " + path));
    }
    throw new LlamaException(
        LlamaException.Kind.LIBRARY, "no such llama.cpp library or folder: " + path);
  }

  private static Optional<Path> inFolder(Path folder) {
    if (!Files.isDirectory(folder)) {
      return Optional.empty();
    }
    try (Stream<Path> files = Files.list(folder)) {
      // The shortest name is the unversioned one where a build leaves several links.
      return files
          .filter(f -> LLAMA.matcher(f.getFileName().toString()).matches())
          .min(Comparator.comparingInt((Path f) -> f.toString().length()).thenComparing(f -> f))
          .map(LibraryLocator::real);
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /** One path for one file: a library is loaded once, by whatever link it was named. */
  private static Path real(Path file) {
    try {
      return file.toRealPath();
    } catch (IOException e) {
      return file.toAbsolutePath().normalize();
    }
  }

  /** The llama.cpp release in a library's file name, such as {@code b7347}. */
  static Optional<String> release(Path library) {
    return RELEASE
        .matcher(String.valueOf(library.getFileName()))
        .results()
        .map(match -> match.group(1))
        .findFirst();
  }

  /** Operating system and processor, such as {@code linux-x86_64}. */
  static String platform() {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
    return (os.startsWith("mac") ? "mac" : os.startsWith("win") ? "windows" : "linux")
        + "-"
        + (arch.matches("amd64|x86_64|x64") ? "x86_64" : arch.equals("arm64") ? "aarch64" : arch);
  }

  /** What a checkout has built, where there is one, else what the class path holds. */
  static BiFunction<String, String, Optional<Path>> folders(@Nullable String home) {
    if (home == null) {
      return UnpackedNatives.ofClassPath()::folder;
    }
    Path built = Path.of(home, "native", "target", "classes", "org", "modeltracer", "natives");
    return (release, platform) ->
        Optional.of(built.resolve(release).resolve(platform))
            .filter(Files::isDirectory)
            .or(() -> UnpackedNatives.ofClassPath().folder(release, platform));
  }
}
