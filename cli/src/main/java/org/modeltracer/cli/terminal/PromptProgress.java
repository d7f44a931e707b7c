package org.modeltracer.cli.terminal;

import java.util.List;
import org.modeltracer.session.Generation;
import org.modeltracer.session.SessionListener;

/** Shows how much of long prompts has been computed, and how long the rest will take. */
public final class PromptProgress implements SessionListener {
  private final Terminal terminal;
  private final String what;
  private final long total;
  private long begin = System.nanoTime();
  private long before;
  private long last;

  /** Shows each prompt by itself. */
  public PromptProgress(Terminal terminal) {
    this(terminal, "prompt", 0);
  }

  /**
   * Shows work of several prompts as one.
   *
   * @param what what is done
   * @param total tokens of all of it
   */
  public PromptProgress(Terminal terminal, String what, long total) {
    this.terminal = terminal;
    this.what = what;
    this.total = total;
  }

  @Override
  public void onBegin(List<Generation.Token> prompt) {
    before += last;
    last = 0;
    if (total == 0) {
      begin = System.nanoTime();
      before = 0;
    }
  }

  @Override
  public void onPrompt(int done, int all) {
    last = done;
    show(total == 0 ? all : total);
  }

  @Override
  public void onToken(Generation.Token token) {
    if (total > 0) {
      step();
    }
  }

  /** One more token was computed, of no prompt. */
  public void step() {
    before++;
    show(total);
  }

  /** All is done, though it may have been less than was thought. */
  public void end() {
    terminal.progress(what, 1, 1);
  }

  private void show(long all) {
    long done = before + last;
    terminal.progress(
        what,
        (double) done,
        (double) all,
        RemainingTime.of(System.nanoTime() - begin, done, all).words());
  }
}
