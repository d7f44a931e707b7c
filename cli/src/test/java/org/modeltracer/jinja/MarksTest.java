package org.modeltracer.jinja;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Marks of templates in the forms in which they are published, told by reading them. */
class MarksTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '§',
      textBlock =
          """
          {% for m in messages %}{{'<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant' }}{% endif %} § <|im_start|> <|im_end|> § <|im_end|>
          {% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>' + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>' }} § <|start_header_id|> <|end_header_id|> <|eot_id|> § <|eot_id|>
          {{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + role + '\\n' }}{% if message['content'] is string %}{{ message['content'] | trim }}{% else %}{% for item in message['content'] %}{{ item['text'] }}{% endfor %}{% endif %}{{ '<end_of_turn>' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model' }}{% endif %} § <start_of_turn> <end_of_turn> § <end_of_turn>
          {% for message in messages %}{% if message['role'] == 'user' %}{{ '<|user|>\\n' + message['content'] + '<|end|>\\n' }}{% elif message['role'] == 'assistant' %}{{ '<|assistant|>\\n' + message['content'] + '<|end|>\\n' }}{% endif %}{% endfor %} § <|user|> <|end|> <|assistant|> § <|end|>
          {% for m in messages %}{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + m['content'] + ' [/INST]' }}{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %} § '' § eos_token
          {% for message in messages %}{% if message['role'] == 'user' %}{{ '<|user|>' + message['content'] + eos_token }}{% elif message['role'] == 'assistant' %}{{ '<|assistant|>' + message['content'] + eos_token }}{% endif %}{% endfor %}{{ '<|assistant|>' }} § <|user|> <|assistant|> § eos_token
          {% for message in messages %}{% if message['role'] == 'user' %}{{'<｜User｜>' + message['content']}}{% elif message['role'] == 'assistant' %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>'}}{% endif %}{% endfor %} § <｜User｜> <｜Assistant｜> <｜end▁of▁sentence｜> § <｜end▁of▁sentence｜>
          {% for m in messages %}### {{ m.role }}:{{ m.content }}{% endfor %}### Response:<|go|> § <|go|> § ''
          {% if '<|zzz|>' in messages[0].content or x == '<|yyy|>' %}{{ raise_exception('<|xxx|>') }}{% endif %}{{ messages }}{# <|www|> #}{% raw %}<|raw|>{% endraw %} § <|raw|> § ''
          """)
  void areFound(String template, String written, String ends) {
    Marks marks = ChatTemplate.parse(template.replace("\\n", "\n")).marks();
    assertThat(marks.written()).containsExactlyElementsOf(words(written));
    assertThat(marks.ends()).containsExactlyElementsOf(words(ends));
  }

  private static List<String> words(String text) {
    return text.isBlank() ? List.of() : List.of(text.split(" "));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '§',
      textBlock =
          """
          {{ bos_token }}{% for m in messages %}<|a|>{{ m.content }}{% endfor %} § bos_token <|a|>
          {{ bos_token }} {% for m in messages %}{{ bos_token + '<|a|>' + m.content }}{% endfor %} § bos_token bos_token <|a|>
          {% if s %}{{ bos_token + s }}{% else %}{{ bos_token }}{% endif %}{{ m.content }} § bos_token
          System: {{ bos_token }} § ''
          {% set b = bos_token %}{{ messages }} § ''
          """)
  void whatAChatBeginsWith(String template, String begins) {
    assertThat(ChatTemplate.parse(template).marks().begins())
        .containsExactlyElementsOf(words(begins));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '§',
      textBlock =
          """
          {% if tools %}<|tool|>{% else %}<|plain|>{% endif %}{{ messages }} § <|tool|>
          {% if m.role == 'tool' %}<|both|>{% endif %}<|both|>{{ messages }} § ''
          """)
  void whatIsForToolsOnly(String template, String aside) {
    assertThat(ChatTemplate.parse(template).marks().aside())
        .containsExactlyElementsOf(words(aside));
  }
}
