package org.modeltracer.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ChatTemplateTest {
  private static final String WHOLE =
      """
      {#- a comment with {{ and {% in it -#}
      {%- set ns = namespace(found=false, system='') -%}
      {%- macro render(text, role='user') -%}<|{{ role }}|>{{ text | trim }}{%- endmacro -%}
      {%- if messages[0]['role'] == 'system' and messages[0].content is defined %}
        {%- set ns.system = messages[0].content | trim ~ '\\n' %}
        {%- set loop_messages = messages[1:] %}
      {%- elif tools is not none and tools | length > 0 -%}
        {{- raise_exception("no tools {% please %}") }}
      {%- else -%}
        {%- set loop_messages = messages[::-1] %}
      {%- endif -%}
      {%- for message in loop_messages if message.role != 'system' -%}
        {%- if loop.index0 % 2 == 0 and not loop.last %}{% continue %}{% endif %}
        {%- generation %}{{ render(message.content, role=message['role']) }}{% endgeneration -%}
        {%- for call in message.tool_calls or [] %}{{ {"name": call.name, 'a': [1, 2.5]} | tojson(indent=4) }}{% endfor %}
        {%- if message.content is string and message.role is in(['a', 'b']) %}{% break %}{% endif %}
      {%- else -%} nothing {% endfor -%}
      {% raw %}{{ not read }} {% nor this {% endraw %}
      {% set block %}{{ 'a' if x else 'b' if y }}{% endset %}
      {{ bos_token ~ ("x" "y")[0] }}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}
      """;

  /** The verdicts are those of Jinja2 itself. */
  @Test
  void agreesWithJinja() throws IOException {
    Path golden = Path.of("test-fixtures", "jinja", "verdicts.json.gz");
    int sound = 0;
    try (var in = new GZIPInputStream(Files.newInputStream(golden))) {
      for (JsonNode one : JsonMapper.shared().readTree(in)) {
        String template = one.get(0).asString();
        assertThat(accepts(template)).as(template).isEqualTo(one.get(1).asBoolean());
        sound += one.get(1).asBoolean() ? 1 : 0;
      }
    }
    assertThat(sound).isBetween(200, 800);
  }

  @Test
  void readsAllThatTemplatesUse() {
    ChatTemplate template = ChatTemplate.parse(WHOLE);
    assertThat(template.names())
        .contains("messages", "tools", "add_generation_prompt", "bos_token", "raise_exception");
    assertThat(template.unknown()).isEmpty();
    assertThat(ChatTemplate.parse("").names()).isEmpty();
    assertThat(ChatTemplate.parse("text { with } braces {").names()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {{ a                                   | line 1: '}}' is missing
          x⏎{% if a %}⏎{{ b }}                   | line 2: 'if' is never closed by 'endif'
          {% for m in messages %}{% endif %}     | line 1: 'endif' closes 'for' of line 1
          {% endfor %}                           | line 1: 'endfor' closes nothing
          {% else %}                             | line 1: 'else' belongs to no 'if'
          {% if a %}{% else %}{% elif b %}{% endif %} | 'elif' after 'else'
          {% fi a %}                             | no statement is named 'fi'
          {{ a + }}                              | expected an expression, not '}}'
          {{ a b }}                              | expected '}}', not 'b'
          {{ 'open }}                            | the text that begins with ' never ends
          {{ (a }}                               | '}' closes nothing
          {# open                                | the comment {# is never closed
          {% raw %} {{                           | raw is never closed by endraw
          {% break %}                            | 'break' outside of 'for'
          {{ a ! b }}                            | unexpected character '!'
          {% for in b %}{% endfor %}             | expected 'in', not 'b'
          {{ messages[0]['role' }}               | '}' closes nothing
          """)
  void saysWhatIsWrongAndWhere(String template, String message) {
    assertThatExceptionOfType(TemplateSyntaxException.class)
        .isThrownBy(() -> ChatTemplate.parse(template.replace('⏎', '\n')))
        .withMessageContaining(message)
        .satisfies(e -> assertThat(e.line()).isPositive());
  }

  @Test
  void unknownFiltersAreForgivenOnlyUnderConditions() {
    assertThatExceptionOfType(TemplateSyntaxException.class)
        .isThrownBy(() -> ChatTemplate.parse("{{ a | from_json }}"))
        .withMessageContaining("no filter is named 'from_json'");
    assertThat(ChatTemplate.parse("{% if b %}{{ a | from_json }}{% endif %}").unknown())
        .containsExactly("from_json");
  }

  @ParameterizedTest
  @ValueSource(strings = {"(", "[", "{", "not ", "-", "a.b[", "x if "})
  void depthOverflowsNoStack(String piece) {
    for (String template : new String[] {"{{ " + piece.repeat(100_000), piece.repeat(100_000)}) {
      accepts(template);
      accepts(template + " }}");
    }
    accepts("{% if a %}".repeat(100_000));
  }

  /** Whatever is done to a template, the answer is a verdict and nothing else. */
  @Test
  void hostileTemplatesGetAVerdict() {
    var random = new Random(5);
    int refused = 0;
    for (int i = 0; i < 5_000; i++) {
      var text = new StringBuilder(WHOLE);
      for (int n = 1 + random.nextInt(4); n > 0 && !text.isEmpty(); n--) {
        int at = random.nextInt(text.length());
        switch (random.nextInt(3)) {
          case 0 -> text.deleteCharAt(at);
          case 1 -> text.insert(at, "{}%#()[]|'\"\\-\0é".charAt(random.nextInt(15)));
          default -> text.setLength(Math.max(1, at));
        }
      }
      refused += accepts(text.toString()) ? 0 : 1;
    }
    assertThat(refused).isGreaterThan(2_000);
  }

  private static boolean accepts(String template) {
    try {
      ChatTemplate.parse(template);
      return true;
    } catch (TemplateSyntaxException e) {
      return false;
    }
  }
}
