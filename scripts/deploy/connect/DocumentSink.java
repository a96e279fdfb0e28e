import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.sink.SinkConnector;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;

/** Stands where an index would: a line of JSON for each record, with the index and the id that it would have there. */
public class DocumentSink extends SinkConnector {
    private Map<String, String> settings;

    @Override
    public void start(Map<String, String> settings) {
        this.settings = settings;
    }

    @Override
    public Class<? extends Task> taskClass() {
        return ToFile.class;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int most) {
        return IntStream.range(0, most).mapToObj(task -> settings).toList();
    }

    @Override
    public void stop() {
    }

    @Override
    public ConfigDef config() {
        return new ConfigDef().define("file", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "where the lines go");
    }

    @Override
    public String version() {
        return "1";
    }

    public static class ToFile extends SinkTask {
        private final ObjectMapper json = new ObjectMapper();
        private Path file;

        @Override
        public void start(Map<String, String> settings) {
            file = Path.of(settings.get("file"));
        }

        @Override
        public void put(Collection<SinkRecord> records) {
            StringBuilder lines = new StringBuilder();
            try {
                for (SinkRecord record : records) {
                    Map<String, Object> line = new HashMap<>();
                    line.put("index", record.topic());
                    line.put("id", record.key());
                    line.put("document", record.value());
                    lines.append(json.writeValueAsString(line)).append('\n');
                }
                byte[] bytes = lines.toString().getBytes(StandardCharsets.UTF_8);
                Files.write(file, bytes, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            } catch (IOException problem) {
                throw new UncheckedIOException(problem);
            }
        }

        @Override
        public void stop() {
        }

        @Override
        public String version() {
            return "1";
        }
    }
}
