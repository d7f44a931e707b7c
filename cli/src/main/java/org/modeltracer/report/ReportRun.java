package org.modeltracer.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.PooledAttention;

/**
 * A run within a page: what one command left, at most one document of each form.
 *
 * @param name what people call it
 * @param documents what it left
 */
public record ReportRun(String name, List<Document> documents) {
  /**
   * One document.
   *
   * @param file its name
   * @param form what it tells
   * @param json all of it
   */
  public record Document(String file, String form, Object json) {}

  /**
   * A run of documents at hand.
   *
   * @param name what people call it
   * @param json documents by the name that they would have on disk
   */
  public static ReportRun of(String name, Map<String, String> json) {
    var read = new ArrayList<ReportDocument>();
    json.forEach((file, text) -> read.add(ReportDocument.of(file, text)));
    return of(name, read);
  }

  /**
   * Runs on disk: of a folder all results in it, and those in each folder below; of files those of
   * one folder together, as long as none of them tells the same as another.
   *
   * @throws IllegalArgumentException with one line, when a file is none of ours or a folder has
   *     nothing
   */
  public static List<ReportRun> read(List<Path> named) {
    var runs = new ArrayList<ReportRun>();
    var together = new LinkedHashMap<Path, List<ReportDocument>>();
    for (Path path : named) {
      if (Files.isDirectory(path)) {
        List<ReportRun> found = folders(path);
        if (found.isEmpty()) {
          throw new IllegalArgumentException(
              path
                  + ": no results in it; run, attention, sparse, lens --out and diff --out write"
                  + " some");
        }
        runs.addAll(found);
      } else {
        ReportDocument document = ReportDocument.read(path);
        List<ReportDocument> beside =
            together.computeIfAbsent(parent(path), folder -> new ArrayList<>());
        if (beside.stream().anyMatch(other -> other.form() == document.form())) {
          runs.add(of(name(path), List.of(document)));
        } else {
          beside.add(document);
        }
      }
    }
    var files = new ArrayList<ReportRun>();
    together.forEach((folder, documents) -> files.add(of(name(folder), documents)));
    files.addAll(runs);
    return List.copyOf(files);
  }

  private static Path parent(Path file) {
    Path parent = file.toAbsolutePath().normalize().getParent();
    return parent == null ? file : parent;
  }

  private static String name(Path path) {
    Path last = path.toAbsolutePath().normalize().getFileName();
    return last == null ? path.toString() : last.toString();
  }

  private static List<ReportRun> folders(Path folder) {
    try (Stream<Path> below = Files.walk(folder)) {
      return below
          .filter(Files::isDirectory)
          .sorted()
          .map(each -> folder(folder, each))
          .filter(run -> !run.documents().isEmpty())
          .toList();
    } catch (IOException e) {
      throw new IllegalArgumentException(folder + " cannot be read: " + e.getMessage(), e);
    }
  }

  private static ReportRun folder(Path top, Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      List<ReportDocument> documents =
          files
              .filter(Files::isRegularFile)
              .filter(file -> file.getFileName().toString().endsWith(".json"))
              .sorted()
              .map(ReportRun::known)
              .flatMap(Stream::ofNullable)
              .toList();
      Path within = top.relativize(folder);
      return of(within.toString().isEmpty() ? name(folder) : within.toString(), documents);
    } catch (IOException e) {
      throw new IllegalArgumentException(folder + " cannot be read: " + e.getMessage(), e);
    }
  }

  /** A document, or null where a folder holds JSON of others. */
  private static @Nullable ReportDocument known(Path file) {
    try {
      return ReportDocument.read(file);
    } catch (IllegalArgumentException ofOthers) {
      return null;
    }
  }

  private static ReportRun of(String name, List<ReportDocument> read) {
    var documents = new ArrayList<Document>();
    PooledAttention matrices = null;
    boolean pictured = false;
    for (ReportDocument document : read) {
      documents.add(new Document(document.file(), document.form().id(), document.json()));
      matrices = document.matrices() != null ? document.matrices() : matrices;
      pictured |= document.form() == Form.PICTURES;
    }
    if (matrices != null && !pictured) {
      Map<String, Object> drawn = new LinkedHashMap<>();
      drawn.put("attention", AttentionPicture.of(matrices));
      documents.add(new Document("attention.json", Form.PICTURES.id(), drawn));
    }
    return new ReportRun(name, List.copyOf(documents));
  }
}
