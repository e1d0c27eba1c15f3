"""The arguments of Keras 1.2 and Keras 2.2 in the order in which they were given, where today's order is another.

By age, then by the name of today's class, method or function; a class that is not named takes its arguments as today.
"""

_TAIL_1 = "W_regularizer b_regularizer activity_regularizer W_constraint b_constraint bias"
_START_1 = "init activation weights"
_RECURRENT_1 = "W_regularizer U_regularizer b_regularizer dropout_W dropout_U"
_POOLING_1 = "pool_size strides border_mode dim_ordering"
_OF_CONVOLUTION_1 = {
    "Conv1D": f"nb_filter filter_length {_START_1} border_mode subsample_length {_TAIL_1} input_dim input_length",
    "Conv2D": f"nb_filter nb_row nb_col {_START_1} border_mode subsample dim_ordering {_TAIL_1}",
    "Conv3D": f"nb_filter kernel_dim1 kernel_dim2 kernel_dim3 {_START_1} border_mode subsample dim_ordering {_TAIL_1}",
    "AtrousConvolution1D": f"nb_filter filter_length {_START_1} border_mode subsample_length atrous_rate {_TAIL_1}",
    "AtrousConvolution2D": (
        f"nb_filter nb_row nb_col {_START_1} border_mode subsample atrous_rate dim_ordering {_TAIL_1}"
    ),
    "Conv2DTranspose": (
        f"nb_filter nb_row nb_col output_shape {_START_1} border_mode subsample dim_ordering {_TAIL_1}"
    ),
    "SeparableConv2D": (
        f"nb_filter nb_row nb_col {_START_1} border_mode subsample depth_multiplier dim_ordering depthwise_regularizer "
        "pointwise_regularizer b_regularizer activity_regularizer depthwise_constraint pointwise_constraint "
        "b_constraint bias"
    ),
    "ConvLSTM2D": (
        "nb_filter nb_row nb_col init inner_init forget_bias_init activation inner_activation dim_ordering border_mode "
        f"subsample {_RECURRENT_1}"
    ),
    "LocallyConnected1D": (
        f"nb_filter filter_length {_START_1} border_mode subsample_length {_TAIL_1} input_dim input_length"
    ),
    "LocallyConnected2D": f"nb_filter nb_row nb_col {_START_1} border_mode subsample dim_ordering {_TAIL_1}",
}
_LAYERS_1 = {
    **_OF_CONVOLUTION_1,
    "Dense": f"output_dim {_START_1} {_TAIL_1} input_dim",
    "TimeDistributedDense": f"output_dim {_START_1} {_TAIL_1} input_dim input_length",
    "MaxoutDense": f"output_dim nb_feature init weights {_TAIL_1} input_dim",
    "Highway": f"{_START_1} {_TAIL_1} input_dim",
    "Embedding": (
        "input_dim output_dim init input_length W_regularizer activity_regularizer W_constraint mask_zero weights "
        "dropout"
    ),
    "LSTM": f"output_dim init inner_init forget_bias_init activation inner_activation {_RECURRENT_1}",
    "GRU": f"output_dim init inner_init activation inner_activation {_RECURRENT_1}",
    "SimpleRNN": f"output_dim init inner_init activation {_RECURRENT_1}",
    "Bidirectional": "layer merge_mode weights",
    "BatchNormalization": (
        "epsilon mode axis momentum weights beta_init gamma_init gamma_regularizer beta_regularizer"
    ),
    "Dropout": "p noise_shape seed",
    "GaussianDropout": "p",
    "GaussianNoise": "sigma",
    "SpatialDropout1D": "p",
    "SpatialDropout2D": "p dim_ordering",
    "SpatialDropout3D": "p dim_ordering",
    "MaxPooling1D": "pool_length stride border_mode",
    "MaxPooling2D": _POOLING_1,
    "MaxPooling3D": _POOLING_1,
    "AveragePooling1D": "pool_length stride border_mode",
    "AveragePooling2D": _POOLING_1,
    "AveragePooling3D": _POOLING_1,
    **dict.fromkeys(
        ("GlobalAveragePooling2D", "GlobalAveragePooling3D", "GlobalMaxPooling2D", "GlobalMaxPooling3D"),
        "dim_ordering",
    ),
    **dict.fromkeys(("Cropping2D", "Cropping3D"), "cropping dim_ordering"),
    **dict.fromkeys(("ZeroPadding2D", "ZeroPadding3D"), "padding dim_ordering"),
    **dict.fromkeys(("UpSampling2D", "UpSampling3D"), "size dim_ordering"),
    "UpSampling1D": "length",
    "LeakyReLU": "alpha",
    "PReLU": "init weights shared_axes",
    "ThresholdedReLU": "theta",
    "Lambda": "function output_shape arguments",
    "InputLayer": "input_shape batch_input_shape input_dtype input_tensor sparse name",
}
_OPTIMIZERS_1 = {
    "SGD": "lr momentum decay nesterov",
    "RMSprop": "lr rho epsilon decay",
    "Adagrad": "lr epsilon decay",
    "Adadelta": "lr rho epsilon decay",
    "Adam": "lr beta_1 beta_2 epsilon decay",
    "Adamax": "lr beta_1 beta_2 epsilon decay",
    "Nadam": "lr beta_1 beta_2 epsilon schedule_decay",
}
_CALLBACKS = {
    "LambdaCallback": "on_epoch_begin on_epoch_end on_batch_begin on_batch_end on_train_begin on_train_end",
}
_OTHERS_1 = {
    "L1": "l",
    "L2": "l",
    "MaxNorm": "m axis",
    "MinMaxNorm": "low high rate axis",
    "ReduceLROnPlateau": "monitor factor patience verbose mode epsilon cooldown min_lr",
    "TensorBoard": "log_dir histogram_freq write_graph write_images",
    "Model": "input output name",
    "Sequential": "layers name",
    # methods
    "add_weight": "shape initializer name regularizer trainable constraint",
    "compile": "optimizer loss metrics loss_weights sample_weight_mode",
    "fit": (
        "x y batch_size nb_epoch verbose callbacks validation_split validation_data shuffle class_weight "
        "sample_weight initial_epoch"
    ),
    "fit_generator": (
        "generator samples_per_epoch nb_epoch verbose callbacks validation_data nb_val_samples class_weight max_q_size "
        "nb_worker pickle_safe initial_epoch"
    ),
    "evaluate_generator": "generator val_samples max_q_size nb_worker pickle_safe",
    "predict_generator": "generator val_samples max_q_size nb_worker pickle_safe",
    "load_weights": "filepath by_name",
}

_LAYERS_2 = {
    **dict.fromkeys(
        ("Conv1D", "Conv2D", "Conv3D"),
        "filters kernel_size strides padding data_format dilation_rate activation use_bias kernel_initializer "
        "bias_initializer kernel_regularizer bias_regularizer activity_regularizer kernel_constraint bias_constraint",
    ),
    "Conv3DTranspose": (
        "filters kernel_size strides padding output_padding data_format activation use_bias kernel_initializer "
        "bias_initializer kernel_regularizer bias_regularizer activity_regularizer kernel_constraint bias_constraint"
    ),
    "DepthwiseConv2D": (
        "kernel_size strides padding depth_multiplier data_format activation use_bias depthwise_initializer "
        "bias_initializer depthwise_regularizer bias_regularizer activity_regularizer depthwise_constraint "
        "bias_constraint"
    ),
    "LSTM": (
        "units activation recurrent_activation use_bias kernel_initializer recurrent_initializer bias_initializer "
        "unit_forget_bias kernel_regularizer recurrent_regularizer bias_regularizer activity_regularizer "
        "kernel_constraint recurrent_constraint bias_constraint dropout recurrent_dropout implementation "
        "return_sequences return_state go_backwards stateful unroll"
    ),
    "GRU": (
        "units activation recurrent_activation use_bias kernel_initializer recurrent_initializer bias_initializer "
        "kernel_regularizer recurrent_regularizer bias_regularizer activity_regularizer kernel_constraint "
        "recurrent_constraint bias_constraint dropout recurrent_dropout implementation return_sequences return_state "
        "go_backwards stateful unroll reset_after"
    ),
    "SimpleRNN": (
        "units activation use_bias kernel_initializer recurrent_initializer bias_initializer kernel_regularizer "
        "recurrent_regularizer bias_regularizer activity_regularizer kernel_constraint recurrent_constraint "
        "bias_constraint dropout recurrent_dropout return_sequences return_state go_backwards stateful unroll"
    ),
    "CuDNNLSTM": (
        "units kernel_initializer recurrent_initializer bias_initializer unit_forget_bias kernel_regularizer "
        "recurrent_regularizer bias_regularizer activity_regularizer kernel_constraint recurrent_constraint "
        "bias_constraint return_sequences return_state stateful"
    ),
    "CuDNNGRU": (
        "units kernel_initializer recurrent_initializer bias_initializer kernel_regularizer recurrent_regularizer "
        "bias_regularizer activity_regularizer kernel_constraint recurrent_constraint bias_constraint "
        "return_sequences return_state stateful"
    ),
    "Embedding": (
        "input_dim output_dim embeddings_initializer embeddings_regularizer activity_regularizer "
        "embeddings_constraint mask_zero input_length"
    ),
    "LeakyReLU": "alpha",
    "ThresholdedReLU": "theta",
    "Lambda": "function output_shape mask arguments",
    "InputLayer": "input_shape batch_size batch_input_shape dtype input_tensor sparse name",
}
_OTHERS_2 = {
    "Model": "inputs outputs name",
    "Sequential": "layers name",
    "TensorBoard": (
        "log_dir histogram_freq batch_size write_graph write_grads write_images embeddings_freq "
        "embeddings_layer_names embeddings_metadata embeddings_data update_freq"
    ),
    # methods
    "add_weight": "name shape dtype initializer regularizer trainable constraint",
    "compile": "optimizer loss metrics loss_weights sample_weight_mode weighted_metrics target_tensors",
    "fit_generator": (
        "generator steps_per_epoch epochs verbose callbacks validation_data validation_steps "
        "class_weight max_queue_size workers use_multiprocessing shuffle initial_epoch"
    ),
    "evaluate_generator": "generator steps callbacks max_queue_size workers use_multiprocessing verbose",
    "predict_generator": "generator steps callbacks max_queue_size workers use_multiprocessing verbose",
    "load_weights": "filepath by_name skip_mismatch",
}

SIGNATURES: dict[int, dict[str, str]] = {
    1: _LAYERS_1 | _OPTIMIZERS_1 | _CALLBACKS | _OTHERS_1,
    2: _LAYERS_2
    | _OPTIMIZERS_1
    | {"Adam": "lr beta_1 beta_2 epsilon decay amsgrad"}
    | {"SGD": "lr momentum decay nesterov"}
    | _CALLBACKS
    | _OTHERS_2,
}
