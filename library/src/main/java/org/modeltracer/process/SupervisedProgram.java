package org.modeltracer.process;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A program that runs native code in a process of its own, with this process's arguments, streams
 * and terminal, so that its crash is an answer and not the end.
 *
 * <p>The program's class is started again with {@link #watched} true; it ends by {@link #exit}. A
 * crash leaves no report and no core. Signals to either process end both, and so does the death of
 * the one that watches.
 */
public final class SupervisedProgram {
  /**
   * How the program ended.
   *
   * @param code its exit code; of a program that went down, that of its process
   * @param crash in one line what went down and where; null when the program ended by itself
   * @param begun whether the program was seen to begin
   */
  public record End(int code, @Nullable String crash, boolean begun) {}

  /** Property of a watched process: the id of the one that watches. */
  private static final String PARENT = "modeltracer.parent";

  /** Exit codes of a JVM that SIGHUP, SIGINT or SIGTERM has ended, tidily. */
  private static final Set<Integer> ENDED_FROM_OUTSIDE = Set.of(129, 130, 143);

  private static final Set<OpenOption> NEW =
      Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);

  private static final FileAttribute<?> OWNER_ONLY =
      PosixFilePermissions.asFileAttribute(
          Set.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE));

  private static final int PATIENCE_SECONDS = 30;
  private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

  private SupervisedProgram() {}

  /** Whether this process is the one that is watched. */
  public static boolean watched() {
    return System.getProperty(PARENT) != null;
  }

  /**
   * Runs a program and waits for its end.
   *
   * @throws IOException when no process can be started
   */
  public static End run(Class<?> main, List<String> arguments) throws IOException {
    return run(main, arguments, ChildJvm.Work.LARGE);
  }

  /**
   * Runs a program and waits for its end.
   *
   * @param work what it has to do, by which Java is started
   * @throws IOException when no process can be started
   */
  public static End run(Class<?> main, List<String> arguments, ChildJvm.Work work)
      throws IOException {
    Path file = newTrail();
    try (var trail = new RandomAccessFile(file.toFile(), "r")) {
      ProcessBuilder builder =
          ChildJvm.again(
              main,
              work,
              List.of(
                  "-D" + Trail.FILE + "=" + file,
                  "-D" + PARENT + "=" + ProcessHandle.current().pid()));
      builder.command().addAll(arguments);
      return end(builder.inheritIO().start(), trail);
    } finally {
      Files.deleteIfExists(file);
    }
  }

  /** A page for the process that will be started, in a file that only its owner can open. */
  private static Path newTrail() throws IOException {
    // A file of this name in a shared folder is somebody's trick, and an error. Names that nobody
    // can guess, as createTempFile makes them, cost a fifth of all that waiting costs.
    String name = "modeltracer" + ProcessHandle.current().pid() + "-" + System.nanoTime();
    Path file = Path.of(System.getProperty("java.io.tmpdir"), name + ".trail");
    boolean posix = file.getFileSystem().supportedFileAttributeViews().contains("posix");
    FileAttribute<?>[] own = posix ? new FileAttribute<?>[] {OWNER_ONLY} : new FileAttribute<?>[0];
    try (var channel = FileChannel.open(file, NEW, own)) {
      // Written, not only sized: a page that finds no room on a full disk is a crash of its own.
      channel.write(ByteBuffer.allocate(Trail.BYTES));
    } catch (FileAlreadyExistsException somebodys) {
      throw somebodys;
    } catch (IOException e) {
      Files.deleteIfExists(file);
      throw e;
    }
    return file;
  }

  private static End end(Process process, RandomAccessFile file) throws IOException {
    // No lambda: the first one of a process costs more than all else here.
    var onExit =
        new Thread("supervised") {
          @Override
          public void run() {
            endWith(process);
          }
        };
    try {
      Runtime.getRuntime().addShutdownHook(onExit);
    } catch (IllegalStateException goingDown) {
      process.destroy();
    }
    int code = waitFor(process);
    try {
      Runtime.getRuntime().removeShutdownHook(onExit);
    } catch (IllegalStateException goingDown) {
      // The signal that ends this process is the program's end, too.
      return new End(code, null, true);
    }
    var page = new byte[Trail.BYTES];
    file.readFully(page);
    var trail = new LastTrail(page);
    boolean tidy = trail.ended(code) || ENDED_FROM_OUTSIDE.contains(code);
    return new End(code, tidy ? null : crash(code, trail), trail.begun());
  }

  private static int waitFor(Process process) {
    while (true) {
      try {
        return process.waitFor();
      } catch (InterruptedException e) {
        process.destroy();
      }
    }
  }

  /** The terminal signals both processes; who signals this one alone means both, too. */
  private static void endWith(Process process) {
    process.destroy();
    try {
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
    }
  }

  private static String crash(int code, LastTrail trail) {
    if (!trail.begun()) {
      return "Java cannot start a second time, for the model (exit code %d): is there memory, and"
              .formatted(code)
          + " are processes left (ulimit -v, -u)?";
    }
    // Java ends with 1 where it would have reported a crash, had it not been told to be silent.
    String how =
        ExitStatus.signal(code).orElse(code == 1 ? "invalid memory access" : "exit code " + code);
    String where = trail.where();
    String saved = trail.results().map(at -> "; what was found until then is in " + at).orElse("");
    return where.isEmpty()
        ? "the process with llama.cpp went down (" + how + ")" + saved
        : "the process with llama.cpp went down (%s) %s%s".formatted(how, where, saved);
  }

  /**
   * Has this process end when the one that watches it is gone: it would go on for nobody. Work in
   * progress is told as by a signal, and has half a minute.
   */
  public static void follow() {
    long parent = Long.getLong(PARENT, -1);
    if (parent >= 0) {
      Thread.ofPlatform().daemon().name("parent").start(() -> follow(parent));
    }
  }

  private static void follow(long parent) {
    while (ProcessHandle.current().parent().map(ProcessHandle::pid).orElse(-1L) == parent) {
      LockSupport.parkNanos(LOOK_NANOS);
    }
    Thread.ofPlatform()
        .daemon()
        .start(
            () -> {
              LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS));
              Runtime.getRuntime().halt(MessageChannel.NO_PARENT);
            });
    System.exit(MessageChannel.NO_PARENT);
  }

  /** Ends this process on purpose; what else ends it is a crash. */
  public static void exit(int code) {
    if (watched()) {
      Trail.own().end(code);
    }
    System.exit(code);
  }

  /** Ends this process on purpose and at once, without tidying up. */
  public static void halt(int code) {
    Trail.own().end(code);
    Runtime.getRuntime().halt(code);
  }
}
