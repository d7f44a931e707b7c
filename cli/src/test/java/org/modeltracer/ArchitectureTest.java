package org.modeltracer;

import static com.tngtech.archunit.core.domain.JavaModifier.FINAL;
import static com.tngtech.archunit.core.domain.JavaModifier.PUBLIC;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static java.util.stream.Collectors.groupingBy;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The map of the house: its floors, their rooms, who may import whom, and what happens where. */
class ArchitectureTest {
  private static final String ROOT = "org.modeltracer";

  /**
   * The floors from the ground up. A room may import every room on the floors below, and those
   * rooms of its own floor that are named behind it.
   */
  private static final List<Floor> HOUSE =
      List.of(
          new Floor(
              "core",
              "pure Java: no native code, no files",
              room("kernels"),
              room("model", "kernels"),
              room("anomaly", "model"),
              room("trace", "anomaly", "kernels", "model"),
              room("attention", "kernels", "model", "trace"),
              room("attention.report", "attention", "model")),
          new Floor(
              "files",
              "what lies outside this process",
              room("process"),
              room("gguf"),
              room("input"),
              room("jinja"),
              room("tokens", "gguf"),
              room("weights", "gguf")),
          new Floor(
              "native",
              "llama.cpp in, records out",
              room("llama.ffi"),
              room("llama", "llama.ffi"),
              room("graph", "llama"),
              room("cache", "graph", "llama"),
              room("probe", "cache", "graph", "llama"),
              room("session", "cache", "graph", "llama", "probe")),
          new Floor(
              "questions",
              "that need a model at work",
              room("attach"),
              room("diagnose"),
              room("heads"),
              room("lens"),
              room("language"),
              room("quant", "language"),
              room("sparse.patterns"),
              room("sparse", "sparse.patterns")),
          new Floor(
              "answers",
              "what people and CI read",
              room("gate.policy"),
              room("gate.checks", "gate.policy"),
              room("gate", "gate.checks", "gate.policy"),
              room("gate.output", "gate", "gate.checks", "gate.policy"),
              room("gate.doctor", "gate", "gate.checks"),
              room(
                  "cli.terminal",
                  "gate",
                  "gate.checks",
                  "gate.doctor",
                  "gate.output",
                  "gate.policy"),
              room("cli.export", "cli.terminal"),
              room("report"),
              room(
                  "cli",
                  "cli.export",
                  "cli.terminal",
                  "gate",
                  "gate.checks",
                  "gate.doctor",
                  "gate.output",
                  "gate.policy",
                  "report")));

  /** Rooms that not every room above may enter, with the only ones that may. */
  private static final Map<String, Set<String>> PRIVATE = Map.of("llama.ffi", Set.of("llama"));

  /** Libraries that stay where they are needed, so that nobody else has to carry them. */
  private static final Map<String, String[]> LIBRARIES =
      Map.of(
          "picocli", packages("cli", "cli.terminal"),
          "tools.jackson.dataformat.yaml", packages("cli", "gate.policy"));

  /** The restricted methods of the foreign function API, and what loads libraries without it. */
  private static final Map<String, Set<String>> NATIVE_CALLS =
      Map.of(
          "java.lang.foreign.Linker", Set.of("nativeLinker", "downcallHandle", "upcallStub"),
          "java.lang.foreign.SymbolLookup", Set.of("libraryLookup", "loaderLookup"),
          "java.lang.foreign.MemorySegment", Set.of("reinterpret"),
          "java.lang.foreign.AddressLayout", Set.of("withTargetLayout"),
          "java.lang.System", Set.of("load", "loadLibrary"),
          "java.lang.Runtime", Set.of("load", "loadLibrary"));

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(where -> !where.contains("test-classes"))
          .withImportOption(where -> !where.contains("-tests.jar"))
          .importPackages(ROOT);

  private static String[] packages(String... rooms) {
    return Stream.of(rooms).map(room -> ROOT + "." + room).toArray(String[]::new);
  }

  private record Floor(String name, String what, List<Room> rooms) {
    Floor(String name, String what, Room... rooms) {
      this(name, what, List.of(rooms));
    }
  }

  private record Room(String name, Set<String> neighbours) {}

  private static Room room(String name, String... neighbours) {
    return new Room(name, new TreeSet<>(List.of(neighbours)));
  }

  @Test
  void everyClassHasARoomAndEveryRoomHasClasses() {
    Set<String> rooms = allowed().keySet();
    Set<String> inhabited =
        CLASSES.stream().map(ArchitectureTest::room).collect(Collectors.toCollection(TreeSet::new));
    assertThat(inhabited).containsExactlyElementsOf(new TreeSet<>(rooms));
  }

  @Test
  void roomsImportOnlyWhatTheMapAllows() {
    Map<String, Set<String>> allowed = allowed();
    assertThat(CLASSES).isNotEmpty();
    assertThat(imports().filter(i -> !allowed.get(room(i.getOriginClass())).contains(target(i))))
        .isEmpty();
  }

  /** An arrow that nobody walks any more is taken off the map. */
  @Test
  void theMapShowsNoArrowThatIsNotThere() {
    Set<String> used =
        imports()
            .map(i -> room(i.getOriginClass()) + " -> " + target(i))
            .collect(Collectors.toSet());
    var unused = new ArrayList<String>();
    for (Floor floor : HOUSE) {
      for (Room room : floor.rooms()) {
        for (String neighbour : room.neighbours()) {
          String arrow = room.name() + " -> " + neighbour;
          if (!used.contains(arrow)) {
            unused.add(arrow);
          }
        }
      }
    }
    assertThat(unused).isEmpty();
  }

  @Test
  void roomsHaveNoCycles() {
    slices().matching(ROOT + ".(**)").should().beFreeOfCycles().check(CLASSES);
  }

  /** The newcomer's map in CONTRIBUTING.md is this one. */
  @Test
  void contributingShowsThisMap() throws IOException {
    assertThat(Files.readString(Path.of("CONTRIBUTING.md"))).contains(picture());
  }

  /** But for the log of anomalies, whose lines must be on disk when the process dies. */
  @Test
  void coreTouchesNoFiles() {
    var core =
        HOUSE.getFirst().rooms().stream()
            .map(room -> ROOT + "." + room.name())
            .toArray(String[]::new);
    noClasses()
        .that()
        .resideInAnyPackage(core)
        .and()
        .doNotHaveSimpleName("AnomalyLog")
        .should()
        .dependOnClassesThat()
        .haveNameMatching("java\\.nio\\.(file|channels)\\..*|java\\.io\\.(File|RandomAccess).*")
        .check(CLASSES);
  }

  /**
   * Text of files reaches people by one door, which is guarded: only {@code Terminal} prints, and
   * Markdown and annotations take the same guard. Main makes the streams, Failures and Launch end
   * in one guarded line, a worker's stderr is a pipe to the gate, and the runtime's last words are
   * guarded.
   */
  @Test
  void nobodyPrintsAroundTheGuard() {
    Set<String> mayPrint =
        Set.of(
            "Terminal", "Main", "Launch", "Failures", "Worker", "MessageChannel", "LlamaRuntime");
    var around =
        CLASSES.stream()
            .filter(origin -> !mayPrint.contains(outermost(origin)))
            .flatMap(origin -> origin.getAccessesFromSelf().stream())
            .filter(ArchitectureTest::prints)
            .map(JavaAccess::getDescription);
    assertThat(around).isEmpty();
    for (String guarded :
        Set.of("Terminal", "Launch", "Failures", "LlamaRuntime", "Markdown", "Annotations")) {
      assertThat(CLASSES.stream().filter(c -> c.getSimpleName().equals(guarded)))
          .singleElement()
          .matches(
              c ->
                  c.getMethodCallsFromSelf().stream()
                      .anyMatch(
                          call -> call.getTargetOwner().getSimpleName().equals("VisibleText")),
              "calls the guard");
    }
  }

  /** Simple name of the class that a class lies in. */
  private static String outermost(JavaClass type) {
    return type.getName().replaceFirst(".*\\.", "").replaceFirst("\\$.*", "");
  }

  private static boolean prints(JavaAccess<?> access) {
    String owner = access.getTargetOwner().getName();
    return switch (access.getName()) {
      case "out", "err", "console" -> owner.equals("java.lang.System");
      case "getOut", "getErr", "printStackTrace" -> true;
      default -> owner.equals("java.io.PrintStream") || owner.equals("java.io.PrintWriter");
    };
  }

  /** Files of results are written in one place, and by the log that lies below it. */
  @Test
  void nobodyWritesAroundTheOutputs() {
    Set<String> mayWrite =
        Set.of("OutputFile", "StreamedFile", "NpyFile", "NpzFile", "DemoCommand");
    var around =
        CLASSES.stream()
            .filter(origin -> room(origin).matches("(cli|gate)(\\..*)?"))
            .filter(origin -> !mayWrite.contains(outermost(origin)))
            .flatMap(origin -> origin.getAccessesFromSelf().stream())
            .filter(
                access ->
                    access.getTargetOwner().getName().equals("java.nio.file.Files")
                        && access.getName().matches("write.*|move|copy|new(Output|BufferedW).*"))
            .map(JavaAccess::getDescription);
    assertThat(around).isEmpty();
  }

  /** What people name beside a model may be a pipe, or a device without end. */
  @Test
  void nobodyReadsAroundTheBounds() {
    var around =
        CLASSES.stream()
            .filter(origin -> room(origin).matches("(cli|gate)(\\..*)?"))
            .filter(origin -> !outermost(origin).equals("ResidentMemory"))
            .flatMap(origin -> origin.getAccessesFromSelf().stream())
            .filter(
                access ->
                    access.getTargetOwner().getName().equals("java.nio.file.Files")
                        && access
                            .getName()
                            .matches("read(All|String).*|lines|new(Input|BufferedR).*"))
            .map(JavaAccess::getDescription);
    assertThat(around).isEmpty();
  }

  @Test
  void nativeCodeIsCalledOnlyFromTheBinding() {
    var violations =
        CLASSES.stream()
            .filter(origin -> !room(origin).equals("llama.ffi"))
            .flatMap(origin -> origin.getAccessesFromSelf().stream())
            .filter(ArchitectureTest::isNative)
            .map(JavaAccess::getDescription);
    assertThat(violations).isEmpty();
  }

  @Test
  void librariesStayInTheirRooms() {
    LIBRARIES.forEach(
        (library, rooms) ->
            noClasses()
                .that()
                .resideOutsideOfPackages(rooms)
                .should()
                .dependOnClassesThat()
                .resideInAPackage(library + "..")
                .check(CLASSES));
  }

  @Test
  void noTwoClassesShareAName() {
    Map<String, List<String>> byName =
        CLASSES.stream()
            .filter(JavaClass::isTopLevelClass)
            .filter(type -> !type.getSimpleName().equals("package-info"))
            .collect(
                groupingBy(
                    JavaClass::getSimpleName,
                    Collectors.mapping(JavaClass::getName, Collectors.toList())));
    assertThat(byName).isNotEmpty();
    assertThat(byName.values().stream().filter(names -> names.size() > 1)).isEmpty();
  }

  @Test
  void noFieldIsPublicAndMutable() {
    var violations =
        CLASSES.stream()
            .flatMap(owner -> owner.getFields().stream())
            .filter(field -> field.getModifiers().contains(PUBLIC))
            .filter(field -> !field.getModifiers().contains(FINAL) || field.getRawType().isArray())
            .map(JavaField::getFullName);
    assertThat(violations).isEmpty();
  }

  @Test
  void namesAreImportedNotSpelledOut() throws IOException {
    var qualified =
        Pattern.compile(
            "\\b(java|javax|tools|com|picocli|org\\.(?!example))(\\.?[a-z][a-z0-9]*)+\\.[A-Z]");
    var found = new ArrayList<String>();
    for (Path file : sources()) {
      for (String line : Files.readAllLines(file)) {
        String code = line.replaceAll("\"(\\\\.|[^\"\\\\])*\"", "").strip();
        if (!code.matches("(import|package|\\*|/\\*|//).*") && qualified.matcher(code).find()) {
          found.add(file + ": " + code);
        }
      }
    }
    assertThat(found).isEmpty();
  }

  private static List<Path> sources() throws IOException {
    var sources = new ArrayList<Path>();
    for (String module : List.of("library", "cli")) {
      try (Stream<Path> files = Files.walk(Path.of(module, "src"))) {
        files.filter(file -> file.toString().endsWith(".java")).forEach(sources::add);
      }
    }
    assertThat(sources).isNotEmpty();
    return sources;
  }

  /** Each room, and the rooms that it may import. */
  private static Map<String, Set<String>> allowed() {
    var allowed = new LinkedHashMap<String, Set<String>>();
    var below = new HashSet<String>();
    for (Floor floor : HOUSE) {
      for (Room room : floor.rooms()) {
        var may = new HashSet<>(below);
        may.addAll(room.neighbours());
        PRIVATE.forEach(
            (closed, guests) -> {
              if (!guests.contains(room.name())) {
                may.remove(closed);
              }
            });
        allowed.put(room.name(), may);
      }
      floor.rooms().forEach(room -> below.add(room.name()));
    }
    return allowed;
  }

  /** What every class of ours takes from a room that is not its own. */
  private static Stream<Dependency> imports() {
    return CLASSES.stream()
        .flatMap(origin -> origin.getDirectDependenciesFromSelf().stream())
        .filter(i -> i.getTargetClass().getPackageName().startsWith(ROOT))
        .filter(i -> !target(i).equals(room(i.getOriginClass())));
  }

  private static String target(Dependency dependency) {
    return room(dependency.getTargetClass());
  }

  /** A class's package under the root: {@code attention.report}. */
  private static String room(JavaClass type) {
    return type.getPackageName().substring(ROOT.length()).replaceFirst("^\\.", "");
  }

  private static boolean isNative(JavaAccess<?> call) {
    var names = NATIVE_CALLS.getOrDefault(call.getTargetOwner().getName(), Set.of());
    return names.contains(call.getName());
  }

  /** The house as text, the top floor first, as one would draw it. */
  private static String picture() {
    var picture = new StringBuilder();
    for (Floor floor : HOUSE.reversed()) {
      picture.append("%s: %s%n".formatted(floor.name(), floor.what()));
      for (Room room : floor.rooms()) {
        var arrow =
            room.neighbours().isEmpty() ? "" : " -> " + String.join(", ", room.neighbours());
        picture.append("  %s%s%n".formatted(room.name(), arrow));
      }
    }
    return picture.toString();
  }
}
