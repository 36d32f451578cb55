package io.github.bahagh.nimbus

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertTrue
import java.nio.file.Files
import java.time.Duration
import java.time.Instant

/** An operation on one line, without its time and key. */
fun brief(o: Operation): String =
    listOf(o.op.value, o.userId, o.anonymousId, o.group?.type, o.group?.key, o.props?.let { Json.write(it) }, o.names?.joinToString(","))
        .filterNot { it.isNullOrEmpty() }.joinToString(" ")

private val ada = Options(userId = "ada")
private val u = Options(userId = "u")

/** What every SDK does about people, by the names of testvectors/behaviours.json. */
val ofPeople: Map<String, () -> Unit> = mapOf(
    "tracks_pages_and_screens" to {
        recorded { sent ->
            taken(tracker.page(mapOf("page" to "/"), u))
            taken(tracker.screen("Cart", mapOf("items" to 2)))
            taken(tracker.screen("Home"))
            flush()
            val want = listOf("""${'$'}pageview u {"page":"/"}""", """${'$'}screen null {"name":"Cart","items":2}""", """${'$'}screen null {"name":"Home"}""")
            assertEquals(want, sent.events.map { "${it.name} ${it.userId} ${Json.write(it.props)}" })
        }
    },
    "sends_operations" to {
        scripted {
            val x = tracker()
            val one = mapOf("n" to 1)
            x.tracker.run {
                listOf(
                    setPeople(one, ada), setPeopleOnce(one, Options(anonymousId = "a")), addPeople(one, ada), appendPeople(one, ada), unionPeople(one, ada),
                    removePeople(one, ada), unsetPeople(listOf("n", "m"), ada), deletePerson(ada), group("company", "acme", one),
                    addPeople(one, Options(group = Group("company", "acme"))), group("company", "new"), change(Operation(Op.SET, mapOf("n" to 2), "bob")),
                ).forEach { taken(it) }
            }
            x.flush()
            val r = report("requests=1").requests.single()
            assertTrue(r.path.endsWith("/v1/people/operations"))
            assertEquals(PROJECT to "valid", r.projectId to r.signature)
            val want = listOf(
                """set ada {"n":1}""", """set_once a {"n":1}""", """add ada {"n":1}""", """append ada {"n":1}""", """union ada {"n":1}""", """remove ada {"n":1}""",
                "unset ada n,m", "delete ada", """set company acme {"n":1}""", """add company acme {"n":1}""", "set company new {}", """set bob {"n":2}""",
            )
            assertEquals(want, r.operations.map { brief(it) })
        }
    },
    "gives_each_operation_a_time_and_a_key" to {
        scripted {
            val x = tracker()
            val before = Instant.now().minusNanos(1000)
            val at = Instant.parse("2026-01-15T10:30:00Z")
            repeat(2) { taken(x.tracker.deletePerson(u)) }
            taken(x.tracker.deletePerson(u.copy(ts = at, idempotencyKey = "mine")))
            val after = Instant.now()
            x.flush()
            val got = report("requests=1")
            val o = got.requests[0].operations
            assertTrue(o[0].ts!! in before..after)
            assertEquals(at to "mine", o[2].ts to o[2].idempotencyKey)
            assertEquals(3, got.stored.toSet().size)
        }
    },
    "identify_links_two_ids" to {
        recorded { sent ->
            taken(tracker.identify("u", mapOf("plan" to "pro"), Options(anonymousId = "a")))
            taken(tracker.identify("u"))
            taken(tracker.alias("u", "phone"))
            flush()
            assertEquals(listOf("""set u a {"plan":"pro"}""", "set u {}", "set u phone {}"), sent.operations.map { brief(it) })
        }
    },
    "sends_a_request_of_each_kind" to {
        scripted {
            val x = tracker { flushEvents = 6000; queueEvents = 6000 }
            val each = 2500
            repeat(each) {
                taken(x.tracker.track("$it"))
                taken(x.tracker.deletePerson(Options("u$it")))
            }
            x.flush()
            val r = report().requests
            assertEquals(listOf("2500+0", "0+1000", "0+1000", "0+500"), r.map { "${it.events.size}+${it.operations.size}" })
            assertEquals((0 until each).map { "u$it" }, r.flatMap { it.operations }.map { it.userId })
        }
    },
    "retries_operations" to {
        scripted("""{"replies": [{"status": 503}, {"drop": "after"}]}""") {
            val x = tracker()
            taken(x.tracker.addPeople(mapOf("n" to 1), u))
            taken(x.tracker.deletePerson(Options("v")))
            x.flush()
            val got = report()
            assertEquals(3 to 2, got.requests.size to got.stored.size)
            assertEquals(got.requests[0].text, got.requests[2].text)
            assertEquals(2L to 2L, x.stats.delivered to x.stats.duplicates)
        }
    },
    "reports_operations" to {
        scripted(
            """{"replies": [{"status": 200, "body": {"accepted": 1, "duplicates": 0, "rejected": 1, "errors": [
            {"index": 1, "pointer": "/operations/1/ts", "code": "maximum", "detail": "must not be so far ahead"}]}},
            {"status": 422, "body": {"type":"t","title":"t","status":422,"detail":"d","request_id":"r","code":"all_operations_rejected",
            "errors":[{"index":0,"pointer":"/operations/0/ts","code":"maximum","detail":"y"}]}}, {"status": 403}]}""",
        ) {
            val x = tracker()
            for (batch in listOf(listOf("good", "bad"), listOf("alone"), listOf("final"), listOf("next"))) {
                batch.forEach { taken(x.tracker.deletePerson(Options(it))) }
                x.flush()
            }
            val got = x.droppedOperations.map { (o, why) -> "${o.userId} " + if (why is RejectedException) why.fields[0].pointer else isA<ApiException>(why).code }
            assertEquals(listOf("bad /ts", "alone /ts", "final scripted"), got)
            assertEquals(listOf(5L, 2L, 2L, 1L), x.stats.let { listOf(it.tracked, it.delivered, it.rejected, it.dropped) })
            assertEquals(0, x.dropped.size)
        }
    },
    "refuses_a_bad_operation_at_once" to {
        recorded { sent ->
            var fine = 0
            for (vector in vectors("operations") as List<*>) {
                val v = vector as Map<*, *>
                (v["operations"] as List<*>).zip(v["verdicts"] as List<*>).forEach { (json, verdict) ->
                    if (Op.values().none { it.value == (json as Map<*, *>)["op"] }) return@forEach // nothing that Kotlin's types let one say
                    val why = tracker.change(Decoder.operation(json as Map<*, *>))
                    if (why == null) fine++
                    val got = (why as RejectedException?)?.fields.orEmpty().map { "${it.pointer} ${it.code}" }
                    assertEquals((verdict as List<*>).map { (it as Map<*, *>).run { "${get("pointer")} ${get("code")}" } }, got, "${v["name"]}")
                }
            }
            flush()
            assertTrue(fine > 0 && stats.refused > 0)
            assertEquals(fine, sent.operations.size)
        }
    },
    "junk_identifies_nobody" to {
        recorded { sent ->
            val all = vectors("junk") as Map<*, *>
            val v = tracker.visitor()
            for (id in all["junk"] as List<*>) {
                id as String
                listOf(tracker.identify(id, null, Options(anonymousId = "a")), tracker.alias("u", id), tracker.alias(id, "a"), v.identify(id)).forEach {
                    assertEquals("nobody", isA<RejectedException>(it).fields[0].code, id)
                }
                taken(v.track("e", null, Options(userId = id)))
            }
            val fine = all["fine"] as List<*>
            fine.forEach { taken(tracker.identify(it as String)) }
            flush()
            assertEquals(fine.size, sent.operations.size)
            sent.events.forEach { assertEquals(null to v.anonymousId, it.userId to it.anonymousId) }
        }
    },
    "before_send_changes" to {
        recorded({
            beforeSend = BeforeSend { it.name = it.name.lowercase(); it.props = it.props?.mapValues { "***" }; true }
            beforeSendOperation = BeforeSendOperation { it.userId = "x-" + it.userId; true }
        }) { sent ->
            taken(tracker.track("Paid", mapOf("card" to "secret")))
            taken(tracker.track("PLAIN"))
            taken(tracker.setPeople(mapOf("n" to 1), u))
            isA<RejectedException>(tracker.track("")) // what it makes is checked
            flush()
            assertEquals(listOf("""set x-u {"n":1}"""), sent.operations.map { brief(it) })
            assertEquals(listOf("""paid {"card":"***"}""", "plain null"), sent.events.map { "${it.name} ${Json.write(it.props)}" })
        }
    },
    "before_send_drops" to {
        scripted {
            val x = tracker { beforeSend = BeforeSend { it.name != "secret" }; beforeSendOperation = BeforeSendOperation { false } }
            x.track("a", "secret", "b")
            taken(x.tracker.deletePerson(u))
            x.flush()
            assertEquals(listOf("a b"), report().requests.map { it.names })
            assertEquals(listOf("secret"), x.dropped.map { it.first.name })
            assertEquals(listOf("u"), x.droppedOperations.map { it.first.userId })
            (x.dropped.map { it.second } + x.droppedOperations.map { it.second }).forEach { isA<BeforeSendException>(it) }
            assertEquals(listOf(4L, 2L, 2L), x.stats.let { listOf(it.tracked, it.dropped, it.delivered) })
        }
    },
    "before_send_that_throws_drops" to {
        recorded({ beforeSend = BeforeSend { error("no") }; beforeSendOperation = BeforeSendOperation { error("no") } }) { sent ->
            track("a")
            taken(tracker.deletePerson(u))
            flush()
            assertEquals(0, sent.requests)
            listOf(dropped.single().second, droppedOperations.single().second).forEach { assertEquals("no", isA<BeforeSendException>(it).cause?.message) }
            assertEquals(2L to 2L, stats.tracked to stats.dropped)
        }
    },
    "registers_props" to {
        recorded { sent ->
            val list = mutableListOf(1)
            taken(tracker.register(mapOf("version" to "1.2", "list" to list)))
            list[0] = 2
            track("e")
            taken(tracker.track("e", mapOf("total" to (1L shl 53) + 1, "version" to "own")))
            tracker.unregister("version", "absent")
            taken(tracker.track("e", mapOf("n" to 1)))
            tracker.unregister("list")
            track("e")
            taken(tracker.setPeople(emptyMap(), u))
            isA<RejectedException>(tracker.register(mapOf("bad" to Any())))
            flush()
            val want = listOf("""{"version":"1.2","list":[1]}""", """{"version":"own","list":[1],"total":9007199254740993}""", """{"list":[1],"n":1}""", "null")
            assertEquals(want, sent.events.map { Json.write(it.props) })
            assertEquals(listOf("set u {}"), sent.operations.map { brief(it) })
        }
    },
    "debug_says_what_happens" to {
        scripted {
            val x = tracker { debug = true }
            x.track("signed_up")
            taken(x.tracker.deletePerson(u))
            x.flush()
            for (want in listOf("nimbus: taken: {\"name\":\"signed_up\"", "{\"op\":\"delete\"", "nimbus: stored: 1 events", "nimbus: stored: 1 operations")) assertTrue(want in x.log, x.log)
        }
    },
)

/** What every SDK does for one person at one device, by the names of testvectors/behaviours.json. */
val ofVisitors: Map<String, () -> Unit> = mapOf(
    "visitor_has_ids" to {
        recorded { sent ->
            val v = tracker.visitor()
            listOf(
                v.track("before", mapOf("n" to 1)), v.setPeopleOnce(mapOf("source" to "ad")), v.identify("ada", mapOf("plan" to "pro")), v.page(),
                v.addPeople(mapOf("views" to 1)),
            ).forEach { taken(it) }
            flush()
            val id = v.anonymousId
            assertTrue(id.isNotEmpty() && v.sessionId.isNotEmpty())
            assertEquals(listOf(null, "ada"), sent.events.map { it.userId })
            sent.events.forEach { assertEquals(id to v.sessionId, it.anonymousId to it.props?.get("session_id")) }
            assertEquals(listOf("""set_once $id {"source":"ad"}""", """set ada $id {"plan":"pro"}""", """add ada $id {"views":1}"""), sent.operations.map { brief(it) })
        }
    },
    "visitor_lasts" to {
        val file = Files.createTempDirectory("visitor").resolve("kept/visitor").toFile()
        recorded { sent ->
            val first = tracker.visitor(FileStore(file))
            taken(first.register(mapOf("version" to "1.2")))
            taken(first.identify("ada"))
            taken(first.track("e"))
            taken(tracker.visitor(FileStore(file)).track("e"))
            flush()
            val (one, two) = sent.events
            assertEquals(listOf("ada", one.anonymousId, one.props), listOf(two.userId, two.anonymousId, two.props))
            assertEquals("1.2", two.props?.get("version"))
        }
        file.writeText("\\u00zz")
        assertEquals(null, FileStore(file).get("user"), "what was damaged is as if it were not there")
    },
    "visitor_is_of_a_group" to {
        recorded { sent ->
            val v = tracker.visitor()
            taken(v.group("company", "acme", mapOf("plan" to "team")))
            taken(v.track("e"))
            flush()
            assertEquals("acme", sent.events.single().props?.get("company"))
            assertEquals(listOf("""set company acme {"plan":"team"}"""), sent.operations.map { brief(it) })
        }
    },
    "reset_begins_anew" to {
        recorded { sent ->
            val v = tracker.visitor()
            taken(v.register(mapOf("version" to "1.2")))
            taken(v.identify("ada"))
            taken(v.track("e"))
            v.reset()
            taken(v.track("e"))
            flush()
            val (before, after) = sent.events
            assertEquals("ada" to null, before.userId to after.userId)
            assertNotEquals(before.anonymousId, after.anonymousId)
            assertNotEquals(before.props?.get("session_id"), after.props?.get("session_id"))
            assertEquals("1.2" to null, before.props?.get("version") to after.props?.get("version"))
        }
    },
    "another_person_begins_anew" to {
        recorded { sent ->
            val v = tracker.visitor()
            listOf("ada", "ada", "bob").forEach { taken(v.identify(it)) }
            flush()
            val o = sent.operations
            assertEquals(o[0].anonymousId, o[1].anonymousId)
            assertNotEquals(o[0].anonymousId, o[2].anonymousId)
            assertEquals("bob", o[2].userId)
        }
    },
    "session_ends_when_idle" to {
        val time = FakeClock()
        recorded({ clock = time }) {
            val v = tracker.visitor()
            taken(v.track("e"))
            val first = v.sessionId
            time.pass(Duration.ofMinutes(30))
            taken(v.track("e"))
            assertEquals(first, v.sessionId, "it ended after 30 minutes, and not after more")
            time.pass(Duration.ofMinutes(20))
            assertEquals(first, v.sessionId, "it ended after 20 minutes")
            time.pass(Duration.ofMinutes(20))
            val second = v.sessionId
            assertNotEquals(first, second, "asking for it kept it open")
            taken(v.track("e"))
            assertEquals(second, v.sessionId, "the event is of another session than the one that was asked for")
        }
    },
    "session_ends_after_a_day" to {
        val time = FakeClock()
        recorded({ clock = time }) {
            val v = tracker.visitor()
            taken(v.track("e"))
            val first = v.sessionId
            repeat(24 * 3) {
                time.pass(Duration.ofMinutes(20))
                taken(v.track("e"))
            }
            assertEquals(first, v.sessionId, "it ended before the day was over")
            time.pass(Duration.ofMinutes(1))
            assertNotEquals(first, v.sessionId, "it is longer than a day")
        }
    },
)
