import java.nio.file.Files;
import java.nio.file.Path;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

class Example {
  public static void main(String[] args) throws Exception {
@PROGRAM@
  }
}
