package org.modeltracer.cli.export;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.modeltracer.input.SmallFile;
import org.modeltracer.trace.Json;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * A folder of results, which belongs to one run: what an earlier one left there goes when the next
 * begins to write, so that no two runs are ever mixed. Files of others stay.
 */
public final class OutputFolder {
  /** What commands write under these names alone. */
  private static final List<String> RESULTS =
      List.of(
          "summary.json",
          "attention.json",
          "pictures.json",
          "anomalies.jsonl",
          "lens.json",
          "sparse.json",
          "diff.json");

  /** Results that name others: exported arrays, and summaries in folders of their own. */
  private static final List<String> INDICES = List.of(ExportIndex.FILE, "overview.json");

  /** What an index may have removed, wherever it comes from. */
  private static final Pattern REMOVABLE =
      Pattern.compile(
          "(prompt-[0-9]+/)?[^/\\\\]+\\.np[yz]|[^/\\\\]+\\.csv|[^/\\\\]+/summary\\.json");

  private OutputFolder() {}

  /**
   * Makes the folder where it is missing, and removes what an earlier run left in it.
   *
   * @throws org.modeltracer.cli.terminal.CliException when it cannot be made, or emptied
   */
  public static Path claim(Path folder) {
    OutputFile.folder(folder);
    for (String index : INDICES) {
      Path file = folder.resolve(index);
      if (regular(file)) {
        named(file)
            .filter(name -> REMOVABLE.matcher(name).matches())
            .forEach(name -> remove(folder.resolve(name)));
        remove(file);
      }
    }
    RESULTS.forEach(name -> remove(folder.resolve(name)));
    return folder;
  }

  /** What an index of ours says that its run has left; nothing where it is somebody else's. */
  private static Stream<String> named(Path index) {
    try {
      JsonNode all =
          Json.mapper().readTree(SmallFile.bytes(index, SmallFile.TEXT, SmallFile.PATIENCE));
      return all.path("tool").path("name").asString("").equals("modeltracer")
          ? left(all).filter(JsonNode::isString).map(JsonNode::asString)
          : Stream.empty();
    } catch (IllegalArgumentException | JacksonException unreadable) {
      return Stream.empty();
    }
  }

  /** Arrays, their archive and tables of an export; summaries of several checked files. */
  private static Stream<JsonNode> left(JsonNode index) {
    if (!index.has("format")) {
      return index.path("files").valueStream().map(file -> file.path("summary"));
    }
    return Stream.of(
            index.path("files").valueStream().map(file -> file.path("file")),
            Stream.of(index.path("archive")),
            index.path("tables").valueStream())
        .flatMap(nodes -> nodes);
  }

  /** Links, pipes and folders are not what a run leaves. */
  private static boolean regular(Path file) {
    return Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS);
  }

  private static void remove(Path file) {
    if (regular(file)) {
      try {
        Files.delete(file);
      } catch (IOException e) {
        throw OutputFile.failed(file, e);
      }
    }
  }
}
