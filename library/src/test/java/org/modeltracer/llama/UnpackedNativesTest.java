package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnpackedNativesTest {
  private static final String FOLDER = "/org/modeltracer/natives/v1/here/";

  @TempDir Path temporary;
  private Path cache;
  private final Map<String, byte[]> jar = new HashMap<>();

  @BeforeEach
  void aJar() throws Exception {
    assumeTrue(
        temporary.getFileSystem().supportedFileAttributeViews().contains("posix"),
        "file permissions are POSIX's");
    cache = temporary.toRealPath().resolve("a").resolve("cache");
    put("libllama.so", "machine code");
    put("libggml.so", "more of it");
    list();
  }

  private void put(String name, String content) {
    jar.put(FOLDER + name, content.getBytes(StandardCharsets.UTF_8));
  }

  private void list() throws Exception {
    var lines = new ArrayList<String>();
    for (var entry : jar.entrySet()) {
      String name = entry.getKey().substring(FOLDER.length());
      if (!name.equals("files.sha256")) {
        byte[] hash = MessageDigest.getInstance("SHA-256").digest(entry.getValue());
        lines.add(HexFormat.of().formatHex(hash) + "  " + name + "\n");
      }
    }
    put("files.sha256", String.join("", lines));
  }

  private Optional<Path> unpack() {
    return new UnpackedNatives(
            cache, name -> jar.containsKey(name) ? new ByteArrayInputStream(jar.get(name)) : null)
        .folder("v1", "here");
  }

  private void isRefused(String message) {
    assertThatThrownBy(this::unpack)
        .isInstanceOfSatisfying(
            LlamaException.class, e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.LIBRARY))
        .hasMessageContaining(message)
        .hasMessageNotContaining("\n");
  }

  @Test
  void filesAreUnpackedOnceForTheirOwnerOnly() throws IOException {
    Path folder = unpack().orElseThrow();
    assertThat(folder.getParent()).isEqualTo(cache);
    assertThat(folder.resolve("libllama.so")).hasContent("machine code");
    assertThat(folder.resolve("libggml.so")).hasContent("more of it");
    assertThat(permissions(cache)).isEqualTo("rwx------");
    assertThat(permissions(folder)).isEqualTo("rwx------");
    assertThat(permissions(folder.resolve("libllama.so"))).isEqualTo("r-x------");
    var written = Files.getLastModifiedTime(folder.resolve("libllama.so"));
    assertThat(unpack()).contains(folder);
    assertThat(Files.getLastModifiedTime(folder.resolve("libllama.so"))).isEqualTo(written);
    try (Stream<Path> left = Files.list(cache)) {
      assertThat(left).containsExactly(folder);
    }
  }

  private static String permissions(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  @Test
  void nothingOnTheClassPath() {
    jar.clear();
    assertThat(unpack()).isEmpty();
    assertThat(cache).doesNotExist();
  }

  @Test
  void otherLibrariesGoToAnotherFolder() throws Exception {
    Path folder = unpack().orElseThrow();
    put("libllama.so", "newer machine code");
    list();
    Path newer = unpack().orElseThrow();
    assertThat(newer).isNotEqualTo(folder);
    assertThat(newer.resolve("libllama.so")).hasContent("newer machine code");
  }

  @Test
  void aFileThatWasChangedAfterwardsIsRefused() throws IOException {
    Path library = unpack().orElseThrow().resolve("libllama.so");
    Files.setPosixFilePermissions(library, PosixFilePermissions.fromString("rwx------"));
    Files.writeString(library, "other code!!");
    isRefused("libllama.so is not what modeltracer-natives holds: remove ");
  }

  @Test
  void aFileThatIsGoneIsRefused() throws IOException {
    Files.delete(unpack().orElseThrow().resolve("libggml.so"));
    isRefused("libggml.so is missing: remove ");
  }

  @Test
  void aLinkInPlaceOfAFileOrTheFolderIsRefused() throws IOException {
    Path folder = unpack().orElseThrow();
    Path aside = folder.resolveSibling("aside");
    Files.move(folder, aside);
    Files.createSymbolicLink(folder, aside);
    isRefused(folder + " is a link");
    Files.delete(folder);
    Files.move(aside, folder);
    Path copy = Files.copy(folder.resolve("libllama.so"), cache.resolve("copy"));
    Files.delete(folder.resolve("libllama.so"));
    Files.createSymbolicLink(folder.resolve("libllama.so"), copy);
    isRefused("libllama.so is a link");
  }

  @Test
  void whatOthersMayWriteIsRefused() throws IOException {
    Path folder = unpack().orElseThrow();
    Path library = folder.resolve("libllama.so");
    for (Path path : List.of(library, folder, cache)) {
      var before = Files.getPosixFilePermissions(path);
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxrwx---"));
      isRefused(path + " may be written by others: chmod go-w " + path);
      Files.setPosixFilePermissions(path, before);
    }
    assertThat(unpack()).contains(folder);
  }

  @Test
  void whatBelongsToSomebodyElseIsRefused() throws IOException {
    Path folder = unpack().orElseThrow();
    try {
      Files.setOwner(
          folder,
          folder.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName("nobody"));
    } catch (IOException e) {
      assumeTrue(false, "only root can give a folder away");
    }
    isRefused(folder + " belongs to nobody");
  }

  @Test
  void aBrokenListAndALackingFileAreRefused() {
    put("files.sha256", "0".repeat(64) + "  ../libllama.so\n");
    isRefused("list of llama.cpp's files is broken");
    put("files.sha256", "0".repeat(64) + "  libother.so\n");
    isRefused("lists llama.cpp's file libother.so but lacks it");
    assertThat(cache).isEmptyDirectory();
  }

  @Test
  void aFolderThatCannotBeMadeNamesTheVariable() throws IOException {
    Files.writeString(temporary.resolve("a"), "a file");
    isRefused("name another folder with MODELTRACER_CACHE");
  }

  @Test
  void manyAtOnceAgree() throws Exception {
    put("libllama.so", "x".repeat(1 << 20));
    list();
    try (var threads = Executors.newFixedThreadPool(8)) {
      for (int round = 0; round < 10; round++) {
        cache = temporary.toRealPath().resolve("cache" + round);
        List<Callable<Optional<Path>>> all = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
          all.add(this::unpack);
        }
        for (Future<Optional<Path>> one : threads.invokeAll(all)) {
          assertThat(one.get().orElseThrow().resolve("libllama.so")).hasSize(1 << 20);
        }
        try (Stream<Path> left = Files.list(cache)) {
          assertThat(left).hasSize(1);
        }
      }
    }
  }
}
