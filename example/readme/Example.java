import java.nio.file.Files;
import java.nio.file.Path;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.probe.SessionOptions;
import org.modeltracer.probe.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

class Example {
  public static void main(String[] args) throws Exception {
@PROGRAM@
  }
}
