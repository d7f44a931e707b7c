package org.modeltracer;

import static com.tngtech.archunit.core.domain.JavaModifier.FINAL;
import static com.tngtech.archunit.core.domain.JavaModifier.PUBLIC;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static java.util.Map.entry;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Who may import whom, where native code may be called, and how long a file may be. */
class ArchitectureTest {
  private static final String ROOT = "org.modeltracer";
  private static final int MAX_LINES = 400;

  private static final Set<String> CORE = Set.of("model", "anomaly", "trace", "attention");
  private static final Set<String> BELOW_QUESTIONS = with(CORE, "gguf", "tokens", "llama", "probe");
  private static final Set<String> BELOW_ANSWERS =
      with(BELOW_QUESTIONS, "process", "diagnose", "heads", "lens", "quant");

  /** Each package, and the packages of ours that it may import. */
  private static final Map<String, Set<String>> ALLOWED =
      Map.ofEntries(
          entry("model", Set.of()),
          entry("anomaly", Set.of("model")),
          entry("trace", Set.of("model", "anomaly")),
          entry("attention", Set.of("model", "trace")),
          entry("gguf", Set.of()),
          entry("tokens", Set.of("gguf")),
          entry("llama", Set.of("gguf")),
          entry("probe", Set.of("llama", "gguf", "model", "anomaly", "trace")),
          entry("diagnose", BELOW_QUESTIONS),
          entry("heads", BELOW_QUESTIONS),
          entry("lens", BELOW_QUESTIONS),
          entry("process", Set.of()),
          entry("quant", with(BELOW_QUESTIONS, "process")),
          entry("validate", with(BELOW_ANSWERS, "report")),
          entry("report", with(BELOW_ANSWERS, "validate")),
          entry("cli", with(BELOW_ANSWERS, "validate", "report")));

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
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages(ROOT);

  @Test
  void packagesImportOnlyWhatTheDesignAllows() {
    assertThat(CLASSES).isNotEmpty();
    var violations = new ArrayList<String>();
    for (JavaClass origin : CLASSES) {
      var allowed = ALLOWED.get(packageOf(origin));
      if (allowed == null) {
        violations.add(origin.getName() + " is in a package that this test does not know");
        continue;
      }
      origin.getDirectDependenciesFromSelf().stream()
          .filter(dependency -> dependency.getTargetClass().getPackageName().startsWith(ROOT))
          .filter(dependency -> !allowedOrSame(origin, dependency.getTargetClass(), allowed))
          .forEach(dependency -> violations.add(dependency.getDescription()));
    }
    assertThat(violations).isEmpty();
  }

  @Test
  void packagesHaveNoCycles() {
    slices().matching(ROOT + ".(*)..").should().beFreeOfCycles().check(CLASSES);
    slices().matching(ROOT + ".(**)").should().beFreeOfCycles().check(CLASSES);
  }

  /** But for the log of anomalies, whose lines must be on disk when the process dies. */
  @Test
  void coreTouchesNoFiles() {
    var core = CORE.stream().map(name -> ROOT + "." + name + "..").toArray(String[]::new);
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

  @Test
  void nativeCodeIsCalledOnlyFromTheBinding() {
    var violations =
        CLASSES.stream()
            .filter(origin -> !packageOf(origin).equals("llama"))
            .flatMap(origin -> origin.getAccessesFromSelf().stream())
            .filter(ArchitectureTest::isNative)
            .map(JavaAccess::getDescription);
    assertThat(violations).isEmpty();
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
  void noFileIsTooLong() throws IOException {
    var tooLong = new ArrayList<String>();
    for (Path file : sources()) {
      int lines = Files.readAllLines(file).size();
      if (lines > MAX_LINES) {
        tooLong.add(file + ": " + lines + " lines");
      }
    }
    assertThat(tooLong).isEmpty();
  }

  private static List<Path> sources() throws IOException {
    try (Stream<Path> files = Files.walk(Path.of("src"))) {
      var sources = files.filter(file -> file.toString().endsWith(".java")).toList();
      assertThat(sources).isNotEmpty();
      return sources;
    }
  }

  private static boolean allowedOrSame(JavaClass from, JavaClass to, Set<String> allowed) {
    return packageOf(to).equals(packageOf(from)) || allowed.contains(packageOf(to));
  }

  private static boolean isNative(JavaAccess<?> call) {
    var names = NATIVE_CALLS.getOrDefault(call.getTargetOwner().getName(), Set.of());
    return names.contains(call.getName());
  }

  /** The package's name under the root, without its own subpackages: {@code attention}. */
  private static String packageOf(JavaClass type) {
    var name = type.getPackageName();
    return name.length() <= ROOT.length()
        ? ""
        : name.substring(ROOT.length() + 1).replaceFirst("\\..*", "");
  }

  private static Set<String> with(Set<String> names, String... more) {
    var all = new HashSet<>(names);
    all.addAll(List.of(more));
    return Set.copyOf(all);
  }
}
