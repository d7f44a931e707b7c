package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.modeltracer.model.HeadId;

/** Every field of the analysis, as it is written, is defined in docs/definitions. */
class DefinitionsTest {
  /** Names that their own words define. */
  private static final Set<String> PLAIN =
      Set.of(
          "flow_paths",
          "head",
          "label",
          "head1",
          "head2",
          "same_group",
          "expected_impact",
          "head_to_prune",
          "norm_share");

  @Test
  void everyFieldOfTheAnalysisHasADefinition() throws IOException {
    String pages;
    try (Stream<Path> files = Files.list(Path.of("docs", "definitions"))) {
      pages =
          files
              .map(
                  file -> {
                    try {
                      return Files.readString(file);
                    } catch (IOException e) {
                      throw new UncheckedIOException(e);
                    }
                  })
              .collect(Collectors.joining());
    }
    Set<Class<?>> records = new LinkedHashSet<>();
    reach(AttentionAnalysis.class, records);
    reach(AttentionSection.class, records);
    assertThat(records).hasSizeGreaterThan(25);
    var undefined = new TreeSet<String>();
    for (Class<?> type : records) {
      for (RecordComponent component : type.getRecordComponents()) {
        String name =
            component.getName().replaceAll("([a-z0-9])([A-Z])", "$1_$2").toLowerCase(Locale.ROOT);
        if (!PLAIN.contains(name) && !pages.contains("`" + name + "`")) {
          undefined.add(type.getSimpleName() + ": " + name);
        }
      }
    }
    assertThat(undefined).isEmpty();
  }

  private static void reach(Type type, Set<Class<?>> records) {
    if (type instanceof ParameterizedType generic) {
      for (Type argument : generic.getActualTypeArguments()) reach(argument, records);
    } else if (type instanceof Class<?> own
        && own.isRecord()
        && own != HeadId.class
        && records.add(own)) {
      for (RecordComponent component : own.getRecordComponents()) {
        reach(component.getGenericType(), records);
      }
    }
  }
}
