import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
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

/** A native library that works with llama.cpp, in this JVM and traced from it: library, words. */
public class LoadedDriver {
  public static void main(String[] args) throws Throwable {
    var file = GgufFile.read(Path.of(args[1]));
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
                    line.append(' ').append(row.sequence()).append(' ').append(row.query());
                    line.append(' ').append(row.key(0));
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
    var library = SymbolLookup.libraryLookup(Path.of(args[0]), Arena.global());
    var words =
        Linker.nativeLinker()
            .downcallHandle(
                library.find("main").orElseThrow(),
                FunctionDescriptor.of(
                    ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.ADDRESS));
    int code;
    try (var arena = Arena.ofConfined();
        var attached =
            LoadedAttachment.open(Set.of(), (origin, context) -> Optional.of(file), listener)) {
      var argv = arena.allocate(ValueLayout.ADDRESS, args.length + 1);
      argv.setAtIndex(ValueLayout.ADDRESS, 0, arena.allocateFrom("driver"));
      for (int i = 1; i < args.length; i++) {
        argv.setAtIndex(ValueLayout.ADDRESS, i, arena.allocateFrom(args[i]));
      }
      code = (int) words.invokeExact(args.length, argv);
    }
    System.out.println("CODE " + code);
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }
}
