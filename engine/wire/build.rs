//! Compiles the .proto files; needs `protoc` (Debian: protobuf-compiler).

fn main() -> std::io::Result<()> {
    let files = ["attempts", "facts", "rules", "agents", "replicas", "scanner"]
        .map(|name| format!("proto/{name}.proto"));
    tonic_prost_build::configure().bytes(".").compile_protos(&files, &["proto".to_owned()])
}
