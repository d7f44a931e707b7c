package org.modeltracer.cli;

import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntSupplier;
import org.modeltracer.cli.terminal.WordWrap;
import picocli.CommandLine;
import picocli.CommandLine.Help;
import picocli.CommandLine.IHelpSectionRenderer;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * What {@code --help} prints: options under the headings of the classes that declare them, examples
 * (the footers of the commands), and what the exit codes mean.
 *
 * @param width columns of a line
 */
record HelpPage(int width) implements IHelpSectionRenderer {
  private static final String EXIT_CODES =
      "0 pass, 1 findings, 2 wrong usage, 3 bad file, 4 nothing checked, or not all that was asked,"
          + " 5 runtime failed, 130 interrupted.";

  /** Below this width descriptions stand under the options, not beside them. */
  private static final int NARROW = 76;

  private static final int COLUMN = 30;
  private static final int INDENT = 6;

  /** A space at which no line ends. */
  private static final String GLUE = "\u00a0";

  /** Has a program and all its commands answer {@code --help} with such a page. */
  static void of(CommandLine program, IntSupplier columns) {
    // How wide a terminal is takes a process to find out: asked when there is a page to print.
    program.setHelpSectionMap(
        Map.of("page", help -> new HelpPage(columns.getAsInt()).render(help)));
    program.setHelpSectionKeys(List.of("page"));
  }

  @Override
  public String render(Help help) {
    CommandSpec command = help.commandSpec();
    var lines = new ArrayList<String>();
    String words = command.subcommands().isEmpty() ? "[option…]" : "COMMAND [option…]";
    String files =
        command.positionalParameters().isEmpty()
            ? ""
            : " " + command.positionalParameters().getFirst().paramLabel();
    lines.addAll(
        WordWrap.lines(
            "Usage: %s %s%s".formatted(command.qualifiedName(), words, files), width, 7));
    for (String line : command.usageMessage().description()) {
      lines.addAll(WordWrap.lines(line, width, 0));
    }
    if (!command.subcommands().isEmpty()) {
      lines.addAll(List.of("", heading(help, "Commands")));
      command
          .subcommands()
          .forEach(
              (name, sub) ->
                  entry(
                      name, List.of(sub.getCommandSpec().usageMessage().description()[0]), lines));
    }
    options(command)
        .forEach(
            (topic, list) -> {
              lines.addAll(List.of("", heading(help, topic.words)));
              list.forEach(option -> entry(names(option), List.of(option.description()), lines));
            });
    lines.addAll(List.of("", heading(help, "Examples")));
    for (String example : command.usageMessage().footer()) {
      example(example, lines);
    }
    lines.addAll(List.of("", heading(help, "Exit codes")));
    lines.addAll(WordWrap.lines("  " + EXIT_CODES, width, 2));
    return String.join("\n", lines) + "\n";
  }

  private static String heading(Help help, String words) {
    return help.colorScheme().ansi().string("@|bold " + words + "|@");
  }

  private static Map<Heading.Topic, List<ArgSpec>> options(CommandSpec command) {
    Map<Heading.Topic, List<ArgSpec>> groups = new EnumMap<>(Heading.Topic.class);
    var all = new ArrayList<ArgSpec>(command.positionalParameters());
    all.addAll(command.options());
    for (ArgSpec option : all) {
      if (!option.hidden()) {
        groups.computeIfAbsent(topic(option), topic -> new ArrayList<>()).add(option);
      }
    }
    return groups;
  }

  private static Heading.Topic topic(ArgSpec option) {
    // Of an option that a program adds by itself, such as --help, that is no field of ours.
    if (option.userObject() instanceof Field field) {
      for (AnnotatedElement place : List.of(field, field.getDeclaringClass())) {
        Heading heading = place.getAnnotation(Heading.class);
        if (heading != null) {
          return heading.value();
        }
      }
    }
    return Heading.Topic.GENERAL;
  }

  /** All names, the short ones aligned, and what follows them. */
  private static String names(ArgSpec arg) {
    if (!(arg instanceof OptionSpec option)) {
      return arg.paramLabel();
    }
    String names = String.join(", ", option.names());
    if (option.arity().max() == 0) {
      return names;
    }
    return names
        + " "
        + (option.arity().min() == 0 ? "[" + option.paramLabel() + "]" : option.paramLabel());
  }

  private void entry(String names, List<String> description, List<String> lines) {
    int column = width < NARROW ? INDENT : COLUMN;
    String text = String.join(" ", description).replace("%%", "%");
    String head = "  " + names;
    if (head.length() + 2 > column) {
      lines.addAll(WordWrap.lines(head, width, INDENT));
      lines.addAll(WordWrap.lines(" ".repeat(column) + text, width, column));
    } else {
      lines.addAll(WordWrap.lines(head + " ".repeat(column - head.length()) + text, width, column));
    }
  }

  /** A command line, broken before options and so that a shell takes it as it stands. */
  private void example(String words, List<String> lines) {
    String units = words.replaceAll(" (?!-)", GLUE);
    List<String> parts = WordWrap.lines("  " + units, width - 2, INDENT);
    lines.add(String.join(" \\\n", parts).replace(GLUE, " "));
  }
}
