#!/bin/sh
# OpenSearch 3.9.0 (org.opensearch:opensearch, transport-netty4-client), from Maven Central; needs a JDK from 21 on (JAVA_HOME).
#
# Guess: a keyword's ignore_above is a number of characters, as its documentation says, so with ignore_above = 4 a text of three
# emoji is searched.
#
# Seen: it is not, and nobody is told but by the document's field _ignored. A character beyond the basic plane counts as two
# (UTF-16, as Java counts), so the bound for such texts is half of what stands there.
#
# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.
set -u
version=3.9.0
work=$(mktemp -d) || exit 99
trap 'exec 9>&-; rm -rf "$work"' EXIT
cd "$work" || exit 99
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
[ "$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')" -ge 21 ] || exit 99
cat >pom.xml <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>f</groupId><artifactId>f</artifactId><version>1</version><dependencies>
<dependency><groupId>org.opensearch</groupId><artifactId>opensearch</artifactId><version>$version</version></dependency>
<dependency><groupId>org.opensearch.plugin</groupId><artifactId>transport-netty4-client</artifactId><version>$version</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>2.25.5</version></dependency>
</dependencies></project>
POM
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory=jars >/dev/null 2>&1 || exit 99
cat >One.java <<'JAVA'
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.opensearch.Version;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.PluginInfo;

public class One {
    static class Here extends Node {
        Here(Settings settings, PluginInfo plugin) {
            super(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "one"), List.of(plugin), false);
        }
    }

    public static void main(String[] arguments) throws Exception {
        String plugin = "org.opensearch.transport.Netty4ModulePlugin";
        Settings settings = Settings.builder().put("path.home", arguments[0]).put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1").put("http.port", "0").put("transport.port", "0").put("transport.type", "netty4")
            .put("http.type", "netty4").put("cluster.routing.allocation.disk.threshold_enabled", false).build();
        Node node = new Here(settings, new PluginInfo(plugin, "", "", Version.CURRENT, "21", plugin, List.of(), false));
        node.start();
        int port = node.injector().getInstance(org.opensearch.http.HttpServerTransport.class).boundAddress().publishAddress().getPort();
        Files.writeString(Path.of("port.new"), Integer.toString(port));
        Files.move(Path.of("port.new"), Path.of("port"));
        while (System.in.read() >= 0) {
        }
        System.exit(0);
    }
}
JAVA
mkdir -p home/config && mkfifo hold
"$java" -Xmx512m --enable-native-access=ALL-UNNAMED -cp 'jars/*' One.java "$work/home" <hold >log 2>&1 &
exec 9>hold
tries=0
until [ -f port ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 120 ] || exit 99
    sleep 1
done
cat >ask.py <<'PY'
import json
import sys
import urllib.request

at = "http://127.0.0.1:" + open("port").read()


def ask(method, path, body):
    request = urllib.request.Request(f"{at}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
    return json.loads(urllib.request.urlopen(request, timeout=60).read())


ask("PUT", "t", {"mappings": {"properties": {"k": {"type": "keyword", "ignore_above": 4}}}})
found = {}
for name, value in (("four letters", "abcd"), ("five letters", "abcde"), ("two emoji", "\U0001F600" * 2), ("three emoji", "\U0001F600" * 3)):
    ask("PUT", f"t/_doc/{len(found)}?refresh=true", {"k": value})
    found[name] = ask("POST", "t/_count", {"query": {"term": {"k": value}}})["count"]
    print(f"{name}: found in {found[name]}")
if (found["four letters"], found["five letters"], found["two emoji"]) != (1, 0, 1):
    sys.exit(99)
sys.exit(0 if found["three emoji"] == 0 else 1)
PY
python3 ask.py
