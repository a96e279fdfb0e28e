import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.opensearch.Version;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.PluginInfo;

/** An OpenSearch of one node on loopback, out of jars: java Search.java HOME PORT_FILE PLUGIN_CLASS… It ends with its standard input. */
public class Search {
    static class FromClassPath extends Node {
        FromClassPath(Settings settings, List<PluginInfo> plugins) {
            super(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "search"), plugins, false);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Settings settings = Settings.builder()
            .put("path.home", arguments[0])
            .put("cluster.name", "index-check")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.port", "0")
            .put("transport.port", "0")
            .put("transport.type", "netty4")
            .put("http.type", "netty4")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        List<PluginInfo> plugins = new ArrayList<>();
        for (int i = 2; i < arguments.length; i++) {
            plugins.add(new PluginInfo(arguments[i], "", "", Version.CURRENT, "21", arguments[i], List.of(), false));
        }
        try (Node node = new FromClassPath(settings, plugins)) {
            node.start();
            int port = node.injector().getInstance(org.opensearch.http.HttpServerTransport.class).boundAddress().publishAddress().getPort();
            Path file = Path.of(arguments[1]);
            Path whole = file.resolveSibling(file.getFileName() + ".new");
            Files.writeString(whole, Integer.toString(port));
            Files.move(whole, file);
            while (System.in.read() >= 0) {
            }
        }
        System.exit(0);
    }
}
