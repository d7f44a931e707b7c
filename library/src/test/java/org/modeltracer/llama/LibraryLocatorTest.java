package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.BiFunction;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LibraryLocatorTest {
  private static final String PLATFORM = LibraryLocator.platform();

  @TempDir Path temporary;
  private Path root;

  @BeforeEach
  void realPath() throws IOException {
    root = temporary.toRealPath();
  }

  private Path library(String... parts) throws IOException {
    Path file = Path.of(root.toString(), parts);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, "no machine code here");
  }

  @Test
  void theNamedPathComesBeforeTheVariableAndThatBeforeTheEmbeddedOnes() throws IOException {
    Path named = library("own", "libllama.so");
    Path variable = library("environment", "libllama.so");
    Path recent = library("runtime", "v0.5.0", PLATFORM, "libllama.v0.5.0.so");
    Path older = library("runtime", "b4916", PLATFORM, "libjllama.so");
    BiFunction<String, String, Optional<Path>> embedded =
        (release, platform) -> Optional.of(root.resolve(Path.of("runtime", release, platform)));

    assertThat(LibraryLocator.locate(named, variable.toString(), embedded))
        .isEqualTo(new LibraryLocator.Located(named, "named by the caller", null));
    assertThat(LibraryLocator.locate(null, variable.toString(), embedded))
        .isEqualTo(new LibraryLocator.Located(variable, "named by MODELTRACER_LLAMA_LIB", null));
    assertThat(LibraryLocator.locate(null, " ", embedded))
        .isEqualTo(new LibraryLocator.Located(recent, "embedded v0.5.0", null));
    Files.delete(recent);
    LibraryLocator.Located fallback = LibraryLocator.locate(null, null, embedded);
    assertThat(fallback.file()).isEqualTo(older);
    assertThat(fallback.origin()).isEqualTo("embedded b4916");
    assertThat(fallback.note())
        .isEqualTo("no prebuilt llama.cpp v0.5.0 for " + PLATFORM + "; using llama.cpp b4916");
  }

  @Test
  void nothingAnywhereSaysWhatToDo() {
    assertThatThrownBy(() -> LibraryLocator.locate(null, null, (r, p) -> Optional.empty()))
        .isInstanceOfSatisfying(
            LlamaException.class, e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.LIBRARY))
        .hasMessage(
            ("no llama.cpp for %s: add org.modeltracer:modeltracer-natives with the classifier %s"
                 + " or b4916 to the class path, or name a library with LlamaRuntime.load(path) or"
                 + " MODELTRACER_LLAMA_LIB")
                .formatted(PLATFORM, PLATFORM));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "libllama.so",
        "libllama.so.0",
        "libllama.so.0.0.7347",
        "libllama.b7347.so",
        "libllama.v0.5.0.so",
        "libjllama.so",
        "libllama.dylib",
        "llama.dll"
      })
  void aFolderMeansTheLibraryInItOrInItsBinOrLib(String name) throws IOException {
    library("build", "libllama-common.so");
    library("build", "libggml.so");
    library("build", "llama-server");
    assertThatThrownBy(() -> LibraryLocator.resolve(root.resolve("build")))
        .isInstanceOf(LlamaException.class)
        .hasMessage(
            "no llama library (libllama.so, libllama.dylib, llama.dll) in "
                + root.resolve("build"));
    Path inLib = library("build", "lib", name);
    assertThat(LibraryLocator.resolve(root.resolve("build"))).isEqualTo(inLib);
    Path inBin = library("build", "bin", name);
    assertThat(LibraryLocator.resolve(root.resolve("build"))).isEqualTo(inBin);
    Path beside = library("build", name);
    assertThat(LibraryLocator.resolve(root.resolve("build"))).isEqualTo(beside);
  }

  @Test
  void linksToOneFileAreOneLibrary() throws IOException {
    Path file = library("build", "libllama.so.0.0.7347");
    Files.createSymbolicLink(root.resolve("build/libllama.so"), file);
    assertThat(LibraryLocator.resolve(root.resolve("build"))).isEqualTo(file);
    assertThat(LibraryLocator.resolve(root.resolve("build/libllama.so"))).isEqualTo(file);
  }

  @Test
  void missingPath() {
    Path nowhere = root.resolve("nowhere");
    assertThatThrownBy(() -> LlamaRuntime.load(nowhere))
        .isInstanceOf(LlamaException.class)
        .hasMessage("no such llama.cpp library or folder: " + nowhere);
  }

  @Test
  void aFileThatIsNoSharedLibrary() throws IOException {
    Path text = library("libllama.so");
    assertThatThrownBy(() -> LlamaRuntime.load(text))
        .isInstanceOf(LlamaException.class)
        .hasMessage(
            "cannot load "
                + text
                + ": not a shared library for this platform, or one it needs is missing");
  }

  @Test
  void aSharedLibraryThatIsNotLlamaCpp() throws IOException {
    String name = System.mapLibraryName("zip");
    Path home = Path.of(System.getProperty("java.home"));
    Path zip = home.resolve(name.endsWith(".dll") ? "bin" : "lib").resolve(name).toRealPath();
    assertThatThrownBy(() -> LlamaRuntime.load(zip))
        .isInstanceOf(LlamaException.class)
        .hasMessage(zip + " does not export llama_log_set: not a llama.cpp this version knows");
  }

  @ParameterizedTest
  @CsvSource({
    "libllama.b7347.so, b7347",
    "libllama.v0.5.0.so, v0.5.0",
    "libllama.so.0.0.7347,",
    "libllama.so,",
    "llama.dll,"
  })
  void aReleaseInTheFileName(String name, String release) {
    assertThat(LibraryLocator.release(Path.of("folder", name)).orElse(null)).isEqualTo(release);
  }
}
