package org.modeltracer.attention;

import java.util.List;

/**
 * One prompt with what continues it.
 *
 * @param id its number
 * @param tokens texts by position, as far as they are known
 * @param rollout where each position's information comes from
 * @param layers head-averaged attention of every layer
 */
public record CollectedPrompt(long id, List<String> tokens, Rollout rollout, LayerMeans layers) {
  /** Text of the token at a position, empty when it is not known. */
  public String text(int position) {
    return position < tokens.size() ? tokens.get(position) : "";
  }
}
