package org.modeltracer.cli.terminal;

import org.modeltracer.session.SessionListener;

/** Shows how much of a long prompt has been computed. */
public record PromptProgress(Terminal terminal) implements SessionListener {
  @Override
  public void onPrompt(int done, int all) {
    terminal.progress("prompt", done, all);
  }
}
