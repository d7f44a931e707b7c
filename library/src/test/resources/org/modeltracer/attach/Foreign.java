import de.kherud.llama.InferenceParameters;
import de.kherud.llama.LlamaModel;
import de.kherud.llama.LlamaOutput;
import de.kherud.llama.ModelParameters;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import org.modeltracer.attach.LoadedAttachment;
import org.modeltracer.attach.Origin;
import org.modeltracer.attach.RemoteContext;
import org.modeltracer.attach.RemoteListener;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TraceListener;
import org.modeltracer.trace.TracerConfig;

/**
 * Another binding at work; traced from the same JVM when asked to. Model, prompt, mode; mode again
 * continues with a longer prompt, of which the cache holds a part.
 */
public class Foreign {
  public static void main(String[] args) throws Exception {
    var parameters =
        new ModelParameters().setModel(args[0]).setCtxSize(256).setThreads(1).setThreadsBatch(1);
    var model = new LlamaModel(parameters);
    LlamaModel.setLogger(null, (level, text) -> {});
    if (args[2].equals("plain")) {
      System.out.println("TEXT " + generate(model, args[1], false));
      end();
    }
    var file = GgufFile.read(Path.of(args[0]));
    var listener =
        new RemoteListener() {
          @Override
          public ModelTracer onTracer(Origin origin) {
            var tracer = ModelTracer.quiet(TracerConfig.full());
            tracer.addListener(
                new TraceListener() {
                  @Override
                  public void onAttentionRow(AttentionRow row) {
                    var line = new StringBuilder("ROW");
                    line.append(' ').append(row.layer()).append(' ').append(row.head());
                    line.append(' ').append(row.query());
                    for (int i = 0; i < row.size(); i++) {
                      line.append(' ').append(row.weight(i));
                    }
                    System.out.println(line);
                  }
                });
            return tracer;
          }

          @Override
          public void onNote(Origin origin, String words) {
            System.out.println("NOTE " + words);
          }

          @Override
          public void onEnd(Origin origin, RemoteContext context) {
            System.out.println(
                "END " + context.failure() + " " + context.tracer().summary().totalForwards());
          }
        };
    try (var attached =
        LoadedAttachment.open(Set.of(), (origin, context) -> Optional.of(file), listener)) {
      boolean again = args[2].equals("again");
      System.out.println("TEXT " + generate(model, args[1], again));
      if (again) {
        System.out.println("AGAIN");
        System.out.println("TEXT " + generate(model, args[1] + " again and again", true));
        end();
      }
    }
    System.out.println("AFTER");
    System.out.println("TEXT " + generate(model, args[1], false));
    end();
  }

  /** The binding's own threads would keep the process. */
  private static void end() {
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static String generate(LlamaModel model, String prompt, boolean cache) {
    var text = new StringBuilder();
    var parameters =
        new InferenceParameters(prompt).setTemperature(0).setNPredict(12).setCachePrompt(cache);
    for (LlamaOutput output : model.generate(parameters)) {
      text.append(output.text);
    }
    return text.toString().replace("\n", "\\n");
  }
}
