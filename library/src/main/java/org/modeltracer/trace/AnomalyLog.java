package org.modeltracer.trace;

import static java.util.stream.Collectors.joining;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.modeltracer.anomaly.Anomaly;

/**
 * Writes anomalies as JSON lines, by custom to {@code anomalies.jsonl}.
 *
 * <p>A line is appended and flushed when an anomaly shows first, and again, with the same {@code
 * id}, when its root cause is known; so nothing is lost when the process dies, and the last line of
 * an id counts. When the tracer is closed the file is replaced, in one move, by one line per
 * anomaly with its final {@code repeats}. The tracer keeps a bounded number of distinct anomalies,
 * which bounds the log too; the summary counts the rest.
 *
 * <p>Close the tracer before the log.
 */
public final class AnomalyLog implements TraceListener, AutoCloseable {
  private final Path file;
  private final BufferedWriter out;

  /** The file itself, behind symbolic links; a pipe or a device keeps what was written to it. */
  private final Path replaced;

  private boolean closed;

  /**
   * Starts a log, replacing an older one.
   *
   * @throws UncheckedIOException when the file cannot be written
   */
  public AnomalyLog(Path file) {
    this.file = file.toAbsolutePath();
    try {
      out = Files.newBufferedWriter(this.file);
      replaced = this.file.toRealPath();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  @Override
  public boolean inLanes() {
    return true;
  }

  @Override
  public void onAnomaly(Anomaly anomaly) {
    append(anomaly);
  }

  @Override
  public void onRootCause(Anomaly anomaly) {
    append(anomaly);
  }

  @Override
  public void onEnd(List<Anomaly> anomalies) {
    if (closed) {
      return;
    }
    close();
    if (!Files.isRegularFile(replaced)) {
      return;
    }
    try {
      Path whole = replaced.resolveSibling(replaced.getFileName() + ".tmp");
      Files.deleteIfExists(whole);
      try {
        Files.writeString(
            whole, anomalies.stream().map(a -> Json.line(a) + "\n").collect(joining()));
        Files.move(whole, replaced, StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(whole);
      }
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private void append(Anomaly anomaly) {
    if (closed) {
      return;
    }
    try {
      out.write(Json.line(anomaly));
      out.write('\n');
      out.flush();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  @Override
  public void close() {
    closed = true;
    try {
      out.close();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private UncheckedIOException failed(IOException e) {
    return new UncheckedIOException("cannot write the anomaly log " + file + ": " + e, e);
  }
}
