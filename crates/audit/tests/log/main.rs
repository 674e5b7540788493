//! The evidence log against a naive tree written from the words of RFC 6962, against
//! published vectors, and against whoever changes one byte of it.

mod checkpoints;
mod naive;
mod tiles;
mod tree;
mod whole;
