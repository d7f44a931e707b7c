package org.modeltracer.session;

import java.util.Locale;
import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;
import org.jspecify.annotations.Nullable;

/** A session's events for JDK Flight Recorder; without a recording they cost nothing. */
final class SessionEvents {
  private final long session;
  private final long model;

  @Name("modeltracer.SessionOpen")
  @Label("Session Open")
  @Description("A session was opened: its context set up, its graph learnt")
  @Category("ModelTracer")
  @StackTrace(false)
  static final class Opening extends Event {
    @Label("Session")
    long session;

    @Label("Model")
    long model;

    @Label("Context")
    @Description("Tokens of context")
    int context;

    @Label("Flash Attention")
    boolean flashAttention;
  }

  @Name("modeltracer.Text")
  @Label("Text")
  @Description("A prompt was read, and perhaps continued")
  @Category("ModelTracer")
  @StackTrace(false)
  static final class Text extends Event {
    @Label("Session")
    long session;

    @Label("Model")
    long model;

    @Label("Prompt Tokens")
    int promptTokens;

    @Label("Reused Tokens")
    @Description("Tokens of the prompt that the cache held already")
    int reusedTokens;

    @Label("Generated Tokens")
    int generatedTokens;

    @Label("Prompt Time")
    @Timespan(Timespan.NANOSECONDS)
    long promptTime;

    @Label("Finish")
    @Description("Why it ended; failed where an exception ended it")
    String finish = "";

    @Label("Failure")
    String failure = "";
  }

  SessionEvents(long session, long model) {
    this.session = session;
    this.model = model;
  }

  void opened(Opening event, int context, boolean flashAttention) {
    event.end();
    if (event.shouldCommit()) {
      event.session = session;
      event.model = model;
      event.context = context;
      event.flashAttention = flashAttention;
      event.commit();
    }
  }

  void ended(Text event, Generation result) {
    event.end();
    if (event.shouldCommit()) {
      event.promptTokens = result.promptTokens();
      event.reusedTokens = result.reusedTokens();
      event.generatedTokens = result.tokens().size();
      event.promptTime = (long) (result.promptSeconds() * 1e9);
      commit(event, result.finish().name().toLowerCase(Locale.ROOT), "");
    }
  }

  void failed(Text event, int promptTokens, Throwable failure) {
    event.end();
    if (event.shouldCommit()) {
      event.promptTokens = promptTokens;
      commit(event, "failed", failure.getMessage());
    }
  }

  private void commit(Text event, String finish, @Nullable String failure) {
    event.session = session;
    event.model = model;
    event.finish = finish;
    event.failure = failure == null ? "" : failure;
    event.commit();
  }
}
