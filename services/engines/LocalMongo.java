import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import java.util.List;

/** A file-backed server for MongoDB's protocol: `LocalMongo PORT FILE`. */
public final class LocalMongo {
  /** Wire version 13 is MongoDB 5.0's. The current driver talks to nothing older, and asks nothing newer of us. */
  private record Announced() implements MongoVersion {
    public List<Integer> getVersionArray() {
      return List.of(5, 0, 0);
    }

    public int getWireVersion() {
      return 13;
    }
  }

  public static void main(String[] args) {
    H2Backend backend = new H2Backend(args[1]);
    backend.version(new Announced());
    MongoServer server = new MongoServer(backend);
    server.bind("127.0.0.1", Integer.parseInt(args[0]));
    Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
  }
}
