package org.modeltracer.trace;

import com.fasterxml.jackson.annotation.JsonAutoDetect.Visibility;
import java.util.function.ToDoubleFunction;
import tools.jackson.core.JsonGenerator;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.SerializationContext;
import tools.jackson.databind.cfg.EnumFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.module.SimpleModule;
import tools.jackson.databind.ser.std.StdSerializer;

/**
 * How records become JSON, and JSON records again: snake case, components in order, enum constants
 * in lower case, and null for numbers that are not finite, which JSON cannot write.
 */
public final class Json {
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .changeDefaultVisibility(names -> names.withIsGetterVisibility(Visibility.NONE))
          .disable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
          .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .disable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .disable(EnumFeature.WRITE_ENUMS_USING_TO_STRING)
          .enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE)
          .addModule(
              new SimpleModule()
                  .addSerializer(new Finite<>(Double.class, Double::doubleValue))
                  .addSerializer(new Finite<>(Double.TYPE, Double::doubleValue))
                  .addSerializer(new Finite<>(Float.class, Float::doubleValue))
                  .addSerializer(new FiniteFloats())
                  .addSerializer(new FiniteDoubles()))
          .build();

  private Json() {}

  /** The mapper behind this class, for those who stream or read. */
  public static JsonMapper mapper() {
    return MAPPER;
  }

  /** One line of JSON. */
  public static String line(Object value) {
    return MAPPER.writeValueAsString(value);
  }

  /** Indented JSON that ends with a line feed. */
  public static String pretty(Object value) {
    return MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(value) + "\n";
  }

  private static final class Finite<T extends Number> extends StdSerializer<T> {
    private final ToDoubleFunction<T> value;

    Finite(Class<T> type, ToDoubleFunction<T> value) {
      super(type);
      this.value = value;
    }

    @Override
    public void serialize(T number, JsonGenerator out, SerializationContext context) {
      if (!Double.isFinite(value.applyAsDouble(number))) {
        out.writeNull();
      } else if (number instanceof Float f) {
        out.writeNumber(f.floatValue());
      } else {
        out.writeNumber(number.doubleValue());
      }
    }
  }

  private static final class FiniteFloats extends StdSerializer<float[]> {
    FiniteFloats() {
      super(float[].class);
    }

    @Override
    public void serialize(float[] numbers, JsonGenerator out, SerializationContext context) {
      out.writeStartArray();
      for (float number : numbers) {
        if (Float.isFinite(number)) {
          out.writeNumber(number);
        } else {
          out.writeNull();
        }
      }
      out.writeEndArray();
    }
  }

  private static final class FiniteDoubles extends StdSerializer<double[]> {
    FiniteDoubles() {
      super(double[].class);
    }

    @Override
    public void serialize(double[] numbers, JsonGenerator out, SerializationContext context) {
      out.writeStartArray();
      for (double number : numbers) {
        if (Double.isFinite(number)) {
          out.writeNumber(number);
        } else {
          out.writeNull();
        }
      }
      out.writeEndArray();
    }
  }
}
