package io.github.bahagh.nimbus;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.github.bahagh.nimbus.api.Client;
import io.github.bahagh.nimbus.api.CreateProjectRequest;
import io.github.bahagh.nimbus.api.Role;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What README.md shows for Java, so that it compiles and runs. */
class JavaTest {
    private static final String ID = "3fa85f64-5717-4562-b3fc-2c963f66afa6";

    @Test
    void javaTracks() throws IOException {
        Recorder sent = new Recorder();
        List<String> lost = new ArrayList<>();
        Config config = new Config("https://nimbus.example.com", ID);
        config.setKeyId("nk_…");
        config.setSecret("ns_…");
        config.setOnDrop((event, why) -> lost.add(event.getName()));
        config.setBeforeSend(event -> !event.getName().equals("secret"));
        config.setTransport(sent);
        try (Tracker tracker = new Tracker(config)) {
            tracker.track("signed_up", Collections.singletonMap("plan", "pro"), new Options("user_123"));
            tracker.track("secret");
            assertNull(tracker.flush(Duration.ofMinutes(1)));
        }
        assertEquals(1, sent.getEvents().size());
        assertEquals(Collections.singletonMap("plan", "pro"), sent.getEvents().get(0).getProps());
        assertEquals(Collections.singletonList("secret"), lost);
    }

    @Test
    void javaCalls() throws IOException {
        List<String> asked = new ArrayList<>();
        Client client = new Client("https://nimbus.example.com", null, request -> {
            asked.add(request.getMethod() + " " + request.getUrl());
            Map<String, String> json = Collections.singletonMap("content-type", "application/json");
            return new HttpResponse(200, json, new java.io.ByteArrayInputStream("{\"items\":[],\"next_cursor\":null}".getBytes()));
        });
        assertEquals(0, client.projects.listProjects(10).getItems().size());
        assertEquals("[GET https://nimbus.example.com/v1/projects?limit=10]", asked.toString());
        CreateProjectRequest request = new CreateProjectRequest("Shop");
        request.setCurrency("EUR");
        assertEquals("{name=Shop, currency=EUR}", request.toJson().toString());
        assertEquals(Role.VIEWER, Role.of("viewer"));
    }
}
