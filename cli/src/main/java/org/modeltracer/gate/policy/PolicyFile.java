package org.modeltracer.gate.policy;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.modeltracer.input.SmallFile;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * Reads policies: the presets, and files in YAML or JSON that start from one and change it.
 *
 * <p>What a file does not name is taken from its preset. A key that is not known is an error, since
 * a limit that is misspelt would be no limit.
 */
public final class PolicyFile {
  private static final List<String> PRESETS = List.of("strict", "default", "smoke");

  private static final ObjectMapper YAML =
      YAMLMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private PolicyFile() {}

  /** Names of the presets, the strictest first. */
  public static List<String> presets() {
    return PRESETS;
  }

  /**
   * A policy by the name of a preset or of a file; a name that is both is the preset.
   *
   * @throws IllegalArgumentException with one line, when there is no such policy or it is unsound
   */
  public static Policy named(String nameOrFile) {
    return named(nameOrFile, SmallFile.PATIENCE);
  }

  /** The same, with other time for a file that is a pipe. */
  public static Policy named(String nameOrFile, Duration patience) {
    return PRESETS.contains(nameOrFile) ? preset(nameOrFile) : read(Path.of(nameOrFile), patience);
  }

  /**
   * A preset.
   *
   * @throws IllegalArgumentException when there is none of that name
   */
  public static Policy preset(String name) {
    return PolicyReader.read(source(name), parse(name, presetText(name)), null);
  }

  /**
   * A policy file; its baseline is relative to the file's folder.
   *
   * @throws IllegalArgumentException with one line that names the file, when it is not there or
   *     unsound
   */
  public static Policy read(Path file) {
    return read(file, SmallFile.PATIENCE);
  }

  private static Policy read(Path file, Duration patience) {
    if (Files.notExists(file)) {
      throw new IllegalArgumentException(
          "no policy '%s': neither a file nor one of %s".formatted(file, PRESETS));
    }
    String text = SmallFile.text(file, SmallFile.SETTINGS, patience);
    return PolicyReader.read(file.toString(), parse(file.toString(), text), file.getParent());
  }

  /** The text of a preset, which documents it. */
  static String presetText(String name) {
    if (!PRESETS.contains(name)) {
      throw new IllegalArgumentException("no preset '%s'; known: %s".formatted(name, PRESETS));
    }
    try (InputStream in = PolicyFile.class.getResourceAsStream("presets/" + name + ".yaml")) {
      return new String(
          Objects.requireNonNull(in, "the jar lacks a preset").readAllBytes(),
          StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String source(String preset) {
    return "preset " + preset;
  }

  /** What a text says; text that begins with a brace is JSON, which allows tabs where YAML not. */
  private static Map<String, Object> parse(String source, String text) {
    ObjectMapper mapper = text.stripLeading().startsWith("{") ? JSON : YAML;
    try {
      JsonNode all = mapper.readTree(text);
      if (all.isMissingNode() || all.isNull()) {
        return Map.of();
      }
      if (all.isObject()) {
        return mapper.convertValue(all, new TypeReference<>() {});
      }
      throw new IllegalArgumentException(
          source + ": a policy is an object with keys, such as tokens");
    } catch (JacksonException e) {
      throw new IllegalArgumentException(source + where(e) + ": " + firstLine(e), e);
    }
  }

  private static String where(JacksonException e) {
    return e.getLocation() == null || e.getLocation().getLineNr() < 1
        ? ""
        : ":" + e.getLocation().getLineNr() + ":" + e.getLocation().getColumnNr();
  }

  private static String firstLine(JacksonException e) {
    return String.valueOf(e.getOriginalMessage()).strip().replaceAll("\\s*\\R\\s*", " ");
  }
}
