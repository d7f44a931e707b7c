package org.modeltracer.gate;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.checks.Catalogue;
import org.modeltracer.gate.checks.Check;
import org.modeltracer.gate.checks.Stage;
import org.modeltracer.gate.checks.Subject;
import org.modeltracer.process.MessageChannel;

/**
 * The process in which llama.cpp meets the file: runs the checks of a job and reports how they go.
 *
 * <p>It may be ended at any moment, from inside by llama.cpp or from outside by its parent; what it
 * has reported until then counts. It ends when its standard input does, as then nobody listens.
 */
final class Worker implements Subject.Listener {
  /** llama.cpp's log, which is kept from the garbage collector here. */
  private static final Logger LLAMA = Logger.getLogger("org.modeltracer.llama");

  private final MessageChannel<Message, Job> parent;
  private final Job job;

  private Worker(MessageChannel<Message, Job> parent, Job job) {
    this.parent = parent;
    this.job = job;
  }

  /** Receives a job and works on it. */
  public static void main(String[] arguments) throws IOException {
    var parent = MessageChannel.toParent(Message.class, Job.class);
    Job job = parent.next();
    if (job != null) {
      parent.follow(another -> {});
      logToStandardError();
      new Worker(parent, job).work();
    }
    // Nothing is left to be freed, and destructors of native code may still crash.
    Runtime.getRuntime().halt(0);
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
    var subject = new Subject(job.request());
    subject.follow(this, job.broken());
    for (String id : job.checks()) {
      Check check = Catalogue.find(id).orElseThrow();
      report(new Message.Begin(id));
      report(new Message.Result(check.ask(subject)));
    }
    report(new Message.End());
  }

  @Override
  public void onEnter(Stage stage) {
    report(new Message.Enter(stage));
  }

  @Override
  public void onLeave() {
    report(new Message.Leave());
  }

  @Override
  public void onTrace(Map<String, @Nullable Object> summary) {
    report(new Message.Trace(summary));
  }

  @Override
  public void onAbort(String words) {
    report(new Message.LastWords(words));
  }

  private void report(Message message) {
    try {
      parent.send(message);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
