package org.modeltracer.process;

import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.module.ModuleFinder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** A Java process with our class path, started so that its end leaves nothing behind. */
public final class ChildJvm {
  private static final Path SHELL = Path.of("/bin/sh");

  /** No report of a crash in a file, no core, no performance data in a temporary folder. */
  private static final List<String> NO_TRACES =
      List.of(
          "-XX:+ErrorFileToStderr",
          "-XX:+DisplayVMOutputToStderr",
          "-XX:-CreateCoredumpOnCrash",
          "-XX:-UsePerfData",
          "-XX:+DisableAttachMechanism");

  /** A short life with a small heap; the AOT cache of the launcher is made for this collector. */
  private static final List<String> SHORT_LIFE =
      List.of("-XX:+UseSerialGC", "-Xmx1g", "-Xss2m", "-Xlog:disable");

  /** The optimizing compiler costs more than it gains where everything is over in a second. */
  private static final String QUICK_COMPILER = "-XX:TieredStopAtLevel=1";

  private static final long SMALL_FILE = 16L << 20;

  /** The first file of a model in several may be small. */
  private static final Pattern SPLIT = Pattern.compile(".*-of-\\d+\\.gguf");

  private static final String NATIVE_ACCESS = "--enable-native-access=ALL-UNNAMED";
  private static final String AOT = "-XX:AOTCache=";
  private static final String MODULES = "--add-modules";

  /** Kernels in vectors, which Java warns of on standard error as it starts. */
  private static final String VECTORS = "jdk.incubator.vector";

  /**
   * Property of a process that only waits: the AOT cache of the one with the model, or nothing. The
   * launcher gives it the quick compiler, which is not always for the other.
   */
  private static final String MODEL_CACHE = "modeltracer.aot";

  /** Nothing at all of a crash: this process tells of it. */
  private static final List<String> SILENT =
      List.of("-XX:+SuppressFatalErrorMessage", "-XX:-CreateCoredumpOnCrash", "-XX:-UsePerfData");

  /** What a process has to do, as far as it decides how Java is best started. */
  public enum Work {
    /** Small models, for seconds: from the cache, without the optimizing compiler. */
    BRIEF,
    /** Small models: from the cache. */
    SMALL,
    /**
     * With vectors, and not from the cache: under one, JDK 25 compiles vector code so that each
     * vector is an object (measured: twice the time of tracing, 60 MB a token).
     */
    LARGE
  }

  private ChildJvm() {}

  /**
   * The process that runs a class of this program's class path as this process was started: with
   * the same options of Java's, and more.
   *
   * @param work what it has to do
   */
  static ProcessBuilder again(Class<?> main, Work work, List<String> more) {
    var own = new ArrayList<String>(options());
    // Java warns of vectors before anyone can tell it not to; the shell keeps that from people.
    boolean vectors =
        work == Work.LARGE
            && Files.isExecutable(SHELL)
            && own.stream().noneMatch(option -> option.startsWith(MODULES))
            && vectors();
    var command = new ArrayList<String>(withoutCore(vectors));
    String cache = System.getProperty(MODEL_CACHE);
    if (cache != null) {
      own.remove(QUICK_COMPILER);
    }
    if (work == Work.BRIEF && !own.contains(QUICK_COMPILER)) {
      own.addFirst(QUICK_COMPILER);
    }
    command.addAll(own);
    command.addAll(SILENT);
    if (vectors) {
      command.add(MODULES + "=" + VECTORS);
      command.add("-D" + StandardError.KEPT + "=true");
    }
    if (work != Work.LARGE && cache != null && !cache.isEmpty()) {
      command.add(AOT + cache);
    }
    // Said twice, it is another list of modules than that of the cache, which is then of no use.
    if (!own.contains(NATIVE_ACCESS)) {
      command.add(NATIVE_ACCESS);
    }
    command.addAll(more);
    return builder(command, main);
  }

  /**
   * The process that runs a class of this program's class path.
   *
   * @param file the model it is to work on; a small one wants a quick start, and no vectors
   */
  public static ProcessBuilder of(Class<?> main, Path file) {
    var command = new ArrayList<String>(withoutCore(false));
    command.addAll(NO_TRACES);
    command.addAll(SHORT_LIFE);
    boolean small = small(file.toFile());
    if (small) {
      command.add(QUICK_COMPILER);
    }
    String cache = System.getProperty(MODEL_CACHE, "");
    if (!small && vectors()) {
      command.add(MODULES + "=" + VECTORS);
    }
    command.add(NATIVE_ACCESS);
    if (small && !cache.isEmpty()) {
      command.add(AOT + cache);
    }
    String home = System.getProperty("modeltracer.home");
    if (home != null) {
      command.add("-Dmodeltracer.home=" + home);
    }
    return builder(command, main);
  }

  /** Whether a model is so small that the optimizing compiler costs more than it gains. */
  public static boolean small(File model) {
    return model.length() < SMALL_FILE && !SPLIT.matcher(model.getName()).matches();
  }

  /** The options of Java's that this process was started with. */
  private static List<String> options() {
    // The bean knows them everywhere, and costs a tenth of a second.
    List<String> typed = typed();
    return typed.isEmpty() ? ManagementFactory.getRuntimeMXBean().getInputArguments() : typed;
  }

  /** The options on the command line, where Linux shows it and they are all; else none. */
  private static List<String> typed() {
    var options = new ArrayList<String>();
    if (System.getenv("JAVA_TOOL_OPTIONS") != null || System.getenv("JDK_JAVA_OPTIONS") != null) {
      return options;
    }
    try {
      String[] words = Files.readString(Path.of("/proc/self/cmdline")).split("\0");
      for (int i = 1; i < words.length && !words[i].equals("-jar"); i++) {
        if (words[i].equals("-cp") || words[i].equals("-classpath")) {
          i++;
        } else if (words[i].startsWith("-") && words[i].matches("-([DX].*|-.*=.*|ea|esa)")) {
          options.add(words[i]);
        } else {
          return words[i].matches("[-@].*") ? List.of() : options;
        }
      }
      return options;
    } catch (IOException e) {
      return List.of();
    }
  }

  /** Whether this Java has the module of vectors. */
  private static boolean vectors() {
    return ModuleFinder.ofSystem().find(VECTORS).isPresent();
  }

  /**
   * Java, started so that the kernel writes no core when native code aborts.
   *
   * @param silent whether standard error is kept aside until {@link StandardError} takes it back
   */
  private static List<String> withoutCore(boolean silent) {
    // Java cannot limit that; a shell can.
    String line = "ulimit -c 0; " + (silent ? StandardError.ASIDE : "") + "exec \"$@\"";
    return Files.isExecutable(SHELL)
        ? List.of(SHELL.toString(), "-c", line, "modeltracer", java())
        : List.of(java());
  }

  private static ProcessBuilder builder(List<String> command, Class<?> main) {
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    var builder = new ProcessBuilder(command);
    // Else a failed assertion in ggml forks the JVM and starts a debugger.
    builder.environment().put("GGML_NO_BACKTRACE", "1");
    // Java would tell of its options on standard error.
    builder.environment().keySet().removeAll(List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"));
    return builder;
  }

  private static String java() {
    return ProcessHandle.current()
        .info()
        .command()
        .filter(command -> Path.of(command).getFileName().toString().startsWith("java"))
        .orElseGet(() -> Path.of(System.getProperty("java.home"), "bin", "java").toString());
  }
}
