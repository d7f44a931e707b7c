package org.modeltracer.gate;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.checks.Catalogue;
import org.modeltracer.gate.checks.Check;
import org.modeltracer.gate.checks.Checks;
import org.modeltracer.gate.checks.Stage;
import org.modeltracer.gate.checks.Subject;

/**
 * The process in which llama.cpp meets the file: runs the checks of a job and tells how they go.
 *
 * <p>It may be ended at any moment, from inside by llama.cpp or from outside by its parent; what
 * has been told until then counts. It ends when its standard input does, as then nobody listens.
 */
final class Worker implements Subject.Listener {
  private static final int NO_PARENT = 3;

  /** llama.cpp's log, which is kept from the garbage collector here. */
  private static final Logger LLAMA = Logger.getLogger("org.modeltracer.llama");

  private final PrintStream out;
  private final Job job;

  private Worker(PrintStream out, Job job) {
    this.out = out;
    this.job = job;
  }

  /** Reads a job from standard input and works on it. */
  public static void main(String[] arguments) throws IOException {
    PrintStream out = System.out;
    System.setOut(System.err);
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    String line = in.readLine();
    if (line != null) {
      Thread watch = new Thread(() -> endWith(in), "parent");
      watch.setDaemon(true);
      watch.start();
      logToStandardError();
      new Worker(out, WorkerLines.job(line)).work();
    }
    // Nothing is left to be freed, and destructors of native code may still crash.
    Runtime.getRuntime().halt(0);
  }

  private static void endWith(BufferedReader in) {
    try {
      while (in.read() >= 0) {
        // Whatever is said is not meant for us.
      }
    } catch (IOException e) {
      // A broken pipe says the same as its end.
    }
    Runtime.getRuntime().halt(NO_PARENT);
  }

  /** The last lines of the log are llama.cpp's last words, should it crash. */
  private static void logToStandardError() {
    LLAMA.setUseParentHandlers(false);
    LLAMA.setLevel(Level.ALL);
    LLAMA.addHandler(
        new Handler() {
          @Override
          public void publish(LogRecord entry) {
            System.err.println(entry.getMessage());
          }

          @Override
          public void flush() {
            System.err.flush();
          }

          @Override
          public void close() {
            // The stream is the process's.
          }
        });
  }

  private void work() {
    var subject = new Subject(job.file(), job.reference(), job.engine(), job.policy());
    subject.follow(this, job.broken());
    for (String id : job.checks()) {
      Check check = Catalogue.find(id).orElseThrow();
      tell(new Message.Begin(id));
      tell(new Message.Result(Checks.ask(check, subject)));
    }
    tell(new Message.End());
  }

  @Override
  public void onEnter(Stage stage) {
    tell(new Message.Enter(stage));
  }

  @Override
  public void onLeave() {
    tell(new Message.Leave());
  }

  @Override
  public void onTrace(Map<String, @Nullable Object> summary) {
    tell(new Message.Trace(summary));
  }

  @Override
  public void onAbort(String words) {
    tell(new Message.LastWords(words));
  }

  private synchronized void tell(Message message) {
    byte[] bytes = WorkerLines.line(job.token(), message).getBytes(StandardCharsets.UTF_8);
    out.write(bytes, 0, bytes.length);
    out.flush();
  }
}
