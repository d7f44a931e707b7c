package org.modeltracer.llama;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Libraries from the class path, unpacked where the system's loader can open them.
 *
 * <p>The jars {@code modeltracer-natives} hold a folder of libraries per release and platform, and
 * in it {@code files.sha256}. It is unpacked once into a cache folder of the user, under a name
 * made of the list's own hash, by writing a sibling and renaming it. Before each use every file is
 * compared with its hash, and whatever somebody else owns, may write or has put a link in place of
 * is refused.
 */
final class UnpackedNatives {
  /** Environment variable that names the cache folder. */
  static final String VARIABLE = "MODELTRACER_CACHE";

  private static final String RESOURCES = "/org/modeltracer/natives/";
  private static final String LIST = "files.sha256";
  private static final Pattern LINE =
      Pattern.compile("([0-9a-f]{64})  ([A-Za-z0-9_][A-Za-z0-9._+-]*)");
  private static final Set<PosixFilePermission> PRIVATE =
      PosixFilePermissions.fromString("rwx------");
  private static final Set<PosixFilePermission> READ_ONLY =
      PosixFilePermissions.fromString("r-x------");
  private static final Set<PosixFilePermission> WRITABLE_BY_OTHERS =
      EnumSet.of(PosixFilePermission.GROUP_WRITE, PosixFilePermission.OTHERS_WRITE);

  private final Path cache;
  private final Function<String, @Nullable InputStream> resources;

  /**
   * @param cache folder that may not exist yet
   * @param resources opens what is on the class path at an absolute name, or gives null
   */
  UnpackedNatives(Path cache, Function<String, @Nullable InputStream> resources) {
    this.cache = cache;
    this.resources = resources;
  }

  /** Those on this program's class path, in the cache folder of the user. */
  static UnpackedNatives ofClassPath() {
    return new UnpackedNatives(cache(), UnpackedNatives.class::getResourceAsStream);
  }

  private static Path cache() {
    String named = System.getenv(VARIABLE);
    if (named != null && !named.isBlank()) {
      return Path.of(named);
    }
    String home = System.getProperty("user.home");
    String os = System.getProperty("os.name");
    String base =
        os.startsWith("Windows")
            ? System.getenv("LOCALAPPDATA")
            : os.startsWith("Mac") ? home + "/Library/Caches" : System.getenv("XDG_CACHE_HOME");
    return base == null || base.isBlank()
        ? Path.of(home, ".cache", "modeltracer")
        : Path.of(base, "modeltracer");
  }

  /**
   * The folder with the libraries of a release for a platform; empty when the class path has none.
   *
   * @throws LlamaException if they cannot be unpacked, or what lies in the cache is not to be
   *     trusted
   */
  Optional<Path> folder(String release, String platform) {
    String resource = RESOURCES + release + "/" + platform + "/";
    try (InputStream list = resources.apply(resource + LIST)) {
      if (list == null) {
        return Optional.empty();
      }
      byte[] bytes = list.readAllBytes();
      Path folder =
          cache.resolve(
              "%s-%s-%s"
                  .formatted(release, platform, hex(digest().digest(bytes)).substring(0, 16)));
      Map<String, String> hashes = hashes(new String(bytes, StandardCharsets.UTF_8));
      if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
        unpack(resource, hashes, folder);
      }
      check(folder, hashes);
      return Optional.of(folder);
    } catch (IOException | UncheckedIOException e) {
      throw refused(
          "cannot unpack llama.cpp into %s (%s); name another folder with %s"
              .formatted(cache, reason(e), VARIABLE));
    }
  }

  private static Map<String, String> hashes(String list) {
    var hashes = new LinkedHashMap<String, String>();
    for (String line : list.lines().toList()) {
      var match = LINE.matcher(line);
      if (!match.matches()) {
        throw refused("the class path's list of llama.cpp's files is broken: " + line);
      }
      hashes.put(match.group(2), match.group(1));
    }
    return hashes;
  }

  private void unpack(String resource, Map<String, String> hashes, Path folder) throws IOException {
    boolean posix = posix(createCache());
    Path fresh = Files.createTempDirectory(cache, "unpacking-");
    try {
      for (String name : hashes.keySet()) {
        Path file = fresh.resolve(name);
        try (InputStream in = resources.apply(resource + name)) {
          if (in == null) {
            throw refused("the class path lists llama.cpp's file " + name + " but lacks it");
          }
          Files.copy(in, file);
        }
        if (posix) {
          Files.setPosixFilePermissions(file, READ_ONLY);
        }
      }
      rename(fresh, folder);
    } finally {
      delete(fresh);
    }
  }

  private Path createCache() throws IOException {
    if (!Files.isDirectory(cache)) {
      Path parent = cache.toAbsolutePath().getParent();
      if (parent != null) {
        Files.createDirectories(parent);
      }
      try {
        Files.createDirectory(cache);
        if (posix(cache)) {
          Files.setPosixFilePermissions(cache, PRIVATE);
        }
      } catch (FileAlreadyExistsException e) {
        // Another process was faster.
      }
    }
    return cache;
  }

  /** Puts a whole folder in place at once; when another process did so before, its folder stays. */
  private static void rename(Path fresh, Path folder) throws IOException {
    try {
      Files.move(fresh, folder, StandardCopyOption.ATOMIC_MOVE);
    } catch (FileAlreadyExistsException | DirectoryNotEmptyException e) {
      // Checked by the caller like any other.
    } catch (FileSystemException e) {
      if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
        throw e;
      }
    }
  }

  private static void delete(Path folder) throws IOException {
    if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }

  private void check(Path folder, Map<String, String> hashes) throws IOException {
    Path root = cache.toRealPath();
    UserPrincipal me = me();
    trusted(root, me);
    trusted(folder, me);
    for (var entry : hashes.entrySet()) {
      Path file = folder.resolve(entry.getKey());
      if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
        throw refused(file + " is missing: remove " + folder);
      }
      trusted(file, me);
      if (!hash(file).equals(entry.getValue())) {
        throw refused(
            "%s is not what modeltracer-natives holds: remove %s".formatted(file, folder));
      }
    }
  }

  private static void trusted(Path path, UserPrincipal me) throws IOException {
    if (Files.isSymbolicLink(path)) {
      throw refused(path + " is a link: remove it");
    }
    if (!posix(path)) {
      return;
    }
    var attributes =
        Files.readAttributes(path, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    if (!attributes.owner().equals(me)) {
      throw refused(
          "%s belongs to %s: name another folder with %s"
              .formatted(path, attributes.owner().getName(), VARIABLE));
    }
    var others = EnumSet.copyOf(WRITABLE_BY_OTHERS);
    others.retainAll(attributes.permissions());
    if (!others.isEmpty()) {
      throw refused(path + " may be written by others: chmod go-w " + path);
    }
  }

  /** Who this process is, known by what it creates: a name may be unknown in a container. */
  private static UserPrincipal me() throws IOException {
    Path mine = Files.createTempFile("modeltracer", null);
    try {
      return Files.getOwner(mine);
    } finally {
      Files.delete(mine);
    }
  }

  private static boolean posix(Path path) {
    return path.getFileSystem().supportedFileAttributeViews().contains("posix");
  }

  private static String hash(Path file) throws IOException {
    MessageDigest digest = digest();
    try (var in = new DigestInputStream(Files.newInputStream(file), digest)) {
      in.transferTo(OutputStream.nullOutputStream());
    }
    return hex(digest.digest());
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  private static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static LlamaException refused(String message) {
    return new LlamaException(LlamaException.Kind.LIBRARY, message);
  }

  private static String reason(Exception e) {
    return e instanceof FileSystemException f && f.getReason() != null
        ? f.getReason()
        : e.getClass().getSimpleName();
  }
}
